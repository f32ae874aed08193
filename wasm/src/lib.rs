//! The Tollgate filter.
