//! The language: text → checked types → a compiled [`Policy`].

mod amount;
mod cidr;
mod compile;
mod compiled;
mod decode;
mod document;
mod domains;
mod exempt;
mod finding;
mod host_pattern;
mod json;
mod limit;
mod load;
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
mod target_document;
mod terms;
mod value;
mod words;

pub use crate::index::is_costly;
pub use crate::model::{
    DEFAULT_PORTS, EncodedSlash, HostPattern, Network, PathPattern, PortRange, Ports, Reading, Selector, StarName,
    TargetContext, TargetOptions, TargetTerms,
};
pub use cidr::networks;
pub(crate) use compile::STAGED;
pub use compiled::Policy;
pub use finding::{Finding, Rejection, Severity, Step, code, nearest};
pub use host_pattern::{host_pattern, host_spelling};
pub use packed::unpack;
pub use path_pattern::path_pattern;
pub use period::duration;
pub use quota::QuotaEntry;
pub use settings::{
    AuditAllowed, AuditPath, Detail, HeaderName, MetricLabels, Mode, RemoveBy, Settings, TcpSettings, Tripwire,
    VerifyRoute,
};
pub use target_document::TARGET_KEYS;
pub use terms::Terms;

pub(crate) use residency::Regions;
