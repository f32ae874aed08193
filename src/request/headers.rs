//! stand-in
use super::{Arrival, OVERRIDE_HEADERS, Upgrade};
impl<'a> Arrival<'a> {
    /// stand-in
    pub fn from_headers(headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Arrival<'a> {
        let mut a = Arrival::default();
        for (name, value) in headers {
            match name.to_ascii_lowercase().as_slice() {
                b":authority" => a.authority = value,
                b":method" => a.method = value,
                b":path" => a.path = Some(value),
                b"upgrade" => a.upgrade = Upgrade::To(value),
                o => a.overridden |= OVERRIDE_HEADERS.iter().any(|h| h.as_bytes() == o),
            }
        }
        a
    }
}
