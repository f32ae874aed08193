//! The language: text → checked types → a compiled [`Policy`].

mod amount;
mod cidr;
mod compile;
mod compiled;
mod decode;
mod document;
mod exempt;
mod finding;
mod host_pattern;
mod json;
mod limit;
mod load;
mod model;
mod names;
mod packed;
mod path_pattern;
mod period;
mod punycode;
mod quantity;
mod quota;
mod residency;
mod selector;
mod settings;
mod target;
mod terms;
mod value;

pub use crate::index::{Network, is_costly};
pub use cidr::networks;
pub(crate) use compile::STAGED;
pub use compiled::Policy;
pub use finding::{Finding, Rejection, Severity, Step, code, nearest};
pub use host_pattern::{host_pattern, host_spelling};
pub use model::{DEFAULT_PORTS, HostPattern, PortRange, Ports, Reading, Selector, StarName};
pub use packed::unpack;
pub use period::duration;
pub use quota::QuotaEntry;
pub use settings::{
    AuditAllowed, AuditPath, Detail, HeaderName, MetricLabels, Mode, RemoveBy, Settings, Tripwire, VerifyRoute,
};
pub use terms::Terms;

pub(crate) use residency::Regions;
