//! Requests as they arrive, as bytes, and what they are reduced to: canonical values, or the reason why there are none.

mod arrival;
mod authority;
mod connection;
mod headers;
mod host;
mod http_beginning;
mod identity;
mod method;
mod override_header;
mod path;
mod route;
mod segment;
mod spelling;
mod tls;

pub use arrival::{Arrival, Presented, Source, Upgrade};
pub use authority::{Authority, NameError, check_name};
pub use connection::{Connection, is_of_the_mesh};
pub(crate) use connection::{Led, is_below};
pub use host::Host;
pub use http_beginning::{HTTP_BEGINNING, begins_http};
pub use identity::Identity;
pub use method::is_method;
pub use override_header::{OVERRIDE_HEADERS, begins_with_spelling, is_override, is_spelling};
pub use path::{Form, Path, object_key, widen};
pub use route::{Comparison, Route, Routed};
pub use tls::{ClientHello, Crossing, FirstBytes, HelloReader, MOST_HELD, Progress, Watch};
