//! A local egress gateway.
