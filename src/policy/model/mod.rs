//! The parts of the language as values: checked once when they are read, and compared here alone.

mod host_pattern;
mod ports;
mod selector;
mod star_name;

pub use host_pattern::{HostPattern, Reading};
pub use ports::{PortRange, Ports};
pub use selector::Selector;
pub use star_name::StarName;

/// Ports of a rule's target that gives none.
pub const DEFAULT_PORTS: [u16; 2] = [80, 443];
