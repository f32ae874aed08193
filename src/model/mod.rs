//! The parts of the language as values: checked once when they are read, and compared here alone.

mod host_pattern;
mod network;
mod path_pattern;
mod ports;
mod reading;
mod selector;
mod star_name;
mod target_context;
mod target_options;
mod target_terms;

pub use host_pattern::HostPattern;
pub use network::Network;
pub(crate) use path_pattern::PathKind;
pub use path_pattern::PathPattern;
pub use ports::{DEFAULT_PORTS, PortRange, Ports};
pub use reading::Reading;
pub use selector::Selector;
pub use star_name::StarName;
pub use target_context::TargetContext;
pub use target_options::{EncodedSlash, TargetOptions};
pub use target_terms::TargetTerms;
