//! The request that a command line describes.

use crate::analysis::edge;
use crate::read::document::Document;
use serde_json::{Map, Value, json};
use tollgate::decision::Timestamp;
use tollgate::policy::Settings;

/// The word for a connection that speaks no TLS.
const NO_TLS: &str = "-";

/// A request, as people write one.
#[derive(Debug, clap::Args)]
pub(super) struct RequestArguments {
    /// Where to: `https://api.example.com/v1/things`, or without the scheme
    ///
    /// Without a port the policy's default counts; where the URL does not say `https` and the policy knows the host on port 80 only,
    /// that one, which the sidecar writes. The scheme decides nothing else.
    #[arg(value_name = "URL")]
    url: String,
    /// Who asks: a SPIFFE ID, NAMESPACE/NAME of a service account, or nobody
    #[arg(long = "as", value_name = "IDENTITY")]
    identity: Option<String>,
    /// The method
    #[arg(short = 'X', long, default_value = "GET")]
    method: String,
    /// A header, `name: value`; may be given several times
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Where the identity comes from: peer-certificate or peer-principal
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// The cluster that the route chose, such as `outbound|443||api.example.com`
    #[arg(long)]
    cluster: Option<String>,
    /// Explain a TCP connection: the server name in the caller's own TLS, `-` if it speaks none
    ///
    /// The URL says where the connection was led to; what it asks for there, nobody sees. Its first bytes are a plain ClientHello.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["method", "headers", "cluster"])]
    sni: Option<String>,
    /// When: RFC 3339; now if not given
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

impl RequestArguments {
    /// The URL, as it was given.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Tells a URL by which the application speaks TLS itself.
    pub(super) fn names_https(&self) -> bool {
        self.url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
    }

    /// A note about the part of the URL that counts for nothing in a connection.
    pub(super) fn unseen(&self) -> Option<String> {
        let (_, path) = split(&self.url);
        (self.sni.is_some() && path != "/").then(|| format!("nobody sees `{path}` in a connection"))
    }

    /// A hint at what was probably forgotten.
    pub(super) fn hint(&self, document: &Document) -> Option<String> {
        let admits_nobody = |rule: &crate::read::document::Rule| {
            document.selectors(&rule.from).all(|selector| selector.anonymous != Some(true))
        };
        (self.identity.is_none() && document.rules.iter().all(admits_nobody))
            .then(|| "no rule is for nobody: say who asks, `--as NAMESPACE/NAME`".to_owned())
    }

    /// The request as a line of `eval`.
    ///
    /// # Errors
    /// What is wrong with the command line.
    pub(super) fn line(&self, settings: &Settings) -> Result<String, String> {
        let (authority, path) = split(&self.url);
        let mut request = Map::new();
        request.insert("authority".to_owned(), authority.into());
        match self.sni.as_deref() {
            Some(name) => {
                request.insert("layer".to_owned(), "tcp".into());
                if name != NO_TLS {
                    request.insert("sni".to_owned(), name.into());
                }
            }
            None => {
                request.insert("method".to_owned(), self.method.as_str().into());
                if self.method != "CONNECT" {
                    // as clients send it (RFC 9112 §3.2.1)
                    let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
                    request.insert("path".to_owned(), path.into());
                }
            }
        }
        if let Some(id) = self.identity.as_deref().filter(|id| *id != "anonymous") {
            request.insert("identity".to_owned(), spiffe(id, settings)?.into());
        }
        let mut headers: Map<String, Value> = Map::new();
        for header in &self.headers {
            let (name, value) =
                header.split_once(':').ok_or_else(|| format!("`{header}` is no header; write `name: value`"))?;
            let values = headers.entry(name.trim().to_ascii_lowercase()).or_insert_with(|| json!([]));
            if let Some(values) = values.as_array_mut() {
                values.push(value.trim().into());
            }
        }
        if !headers.is_empty() {
            request.insert("headers".to_owned(), headers.into());
        }
        if let Some(now) = &self.now {
            Timestamp::parse(now).ok_or_else(|| format!("`{now}` is no time; write it as `2027-01-31T00:00:00Z`"))?;
        }
        for (key, value) in [("source", &self.source), ("cluster", &self.cluster), ("now", &self.now)] {
            if let Some(value) = value {
                request.insert(key.to_owned(), value.as_str().into());
            }
        }
        Ok(Value::Object(request).to_string())
    }
}

/// Authority and path of a URL. Nothing is decoded or mended: a request in an odd form is to be explained, too.
fn split(url: &str) -> (&str, &str) {
    let rest =
        url.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', '?', '#'])).map_or(url, |(_, rest)| rest);
    // a fragment never leaves the client (RFC 9110 §4.2.5)
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    match rest.find(['/', '?']).and_then(|end| rest.split_at_checked(end)) {
        Some((authority, path)) => (authority, path),
        None => (rest, "/"),
    }
}

fn spiffe(id: &str, settings: &Settings) -> Result<String, String> {
    if id.contains("://") {
        return Ok(id.to_owned());
    }
    edge::account(id, edge::own_domain(settings))
        .ok_or_else(|| format!("`{id}` is neither a SPIFFE ID nor NAMESPACE/NAME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_cut_and_not_mended() {
        for (url, expected) in [
            ("https://api.example.com/v1?a=b#c", ("api.example.com", "/v1?a=b")),
            ("api.example.com", ("api.example.com", "/")),
            ("http://API.example.com.:8443", ("API.example.com.:8443", "/")),
            ("https://[::1]:443//a/../b", ("[::1]:443", "//a/../b")),
            ("api.example.com?a=b", ("api.example.com", "?a=b")),
            ("api.example.com/to?u=http://x", ("api.example.com", "/to?u=http://x")),
        ] {
            assert_eq!(split(url), expected, "{url}");
        }
    }
}
