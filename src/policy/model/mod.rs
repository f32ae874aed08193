//! The parts of the language as values: checked once when they are read, and compared here alone.

mod host_pattern;
mod ports;
mod reading;
mod selector;
mod star_name;

pub use host_pattern::HostPattern;
pub use ports::{DEFAULT_PORTS, PortRange, Ports};
pub use reading::Reading;
pub use selector::Selector;
pub use star_name::StarName;
