//! The audit line: OpenTelemetry attribute names where one exists, `egress.*` for ours, and the filter's record in
//! `egress.record`. Query strings, cookies and authorization headers are in none of it.

use std::path::Path;

use serde_json::{Value, json};

use crate::names::{RECORD, TCP_RECORD};
use crate::type_url;

/// The format, as shipped: `access-log.json`.
const FORMAT: &str = include_str!("../access-log.json");

/// The format: an object whose members Envoy fills in.
pub fn format() -> Value {
    serde_json::from_str(FORMAT).unwrap_or_default()
}

/// The format for connections: their record has a key of its own.
pub fn tcp_format() -> Value {
    serde_json::from_str(&FORMAT.replace(&format!("({RECORD}:"), &format!("({TCP_RECORD}:"))).unwrap_or_default()
}

/// The format for requests and connections alike, where one log takes both: whichever record there is. Envoy 1.39 and later know it.
pub fn format_of_both() -> Value {
    let record = |name: &str| json!({"command": "FILTER_STATE", "param": format!("{name}:PLAIN")});
    let operators = json!({"operators": [record(RECORD), record(TCP_RECORD)]});
    let mut format = format();
    if let Some(format) = format.as_object_mut() {
        format.insert("egress.record".to_owned(), format!("%COALESCE({operators})%").into());
    }
    format
}

/// Appends one JSON line a request to `path`.
pub fn file(path: &Path) -> Value {
    in_format(path, format())
}

/// Appends one JSON line a connection to `path`.
pub fn tcp_file(path: &Path) -> Value {
    in_format(path, tcp_format())
}

fn in_format(path: &Path, format: Value) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": type_url("envoy.extensions.access_loggers.file.v3.FileAccessLog"),
            "path": path,
            "log_format": {"json_format": format},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_format_is_json() {
        assert!(serde_json::from_str::<Value>(FORMAT).unwrap().is_object());
    }

    #[test]
    fn connections_have_a_record_of_their_own() {
        assert_eq!(format()["egress.record"], "%FILTER_STATE(wasm.tollgate:PLAIN)%");
        assert_eq!(tcp_format()["egress.record"], "%FILTER_STATE(wasm.tollgate-tcp:PLAIN)%");
    }

    #[test]
    fn nothing_secret_is_logged() {
        let format = FORMAT.to_ascii_lowercase();
        for secret in ["cookie", "authorization", ":path", "x-forwarded-client-cert"] {
            assert!(!format.contains(secret), "{secret}");
        }
    }
}
