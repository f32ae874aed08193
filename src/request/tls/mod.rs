//! TLS that a caller makes itself, as far as it can be read before anything is encrypted: the ClientHello, and a second one
//! after a HelloRetryRequest (RFC 8446 §4.1).

mod client_hello;
mod first_bytes;
mod reader;
mod record_header;
mod server_hello;
mod watch;

pub use client_hello::ClientHello;
pub use first_bytes::FirstBytes;
pub use reader::{HelloReader, MOST_HELD, Progress};
pub use watch::{Crossing, Watch};
