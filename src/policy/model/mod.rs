//! The parts of the language as values: checked once when they are read, and compared here alone.

mod host_pattern;
mod star_name;

pub use host_pattern::{HostPattern, Reading};
pub use star_name::StarName;
