//! Finding the few candidates among 100,000 rules.
