//! The image that a gateway runs.

use serde::Deserialize;

/// The filter's image.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Module {
    pub(crate) image: String,
    pub(crate) digest: Option<String>,
    pub(crate) pull_secret: Option<String>,
    #[serde(default)]
    pub(crate) fail_strategy: FailStrategy,
}

/// Envoy's behaviour when the filter's VM dies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum FailStrategy {
    /// Makes another VM; until then, requests are refused.
    #[default]
    FailReload,
    /// Refuses requests from then on.
    FailClose,
}

impl Module {
    pub(super) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        if self.image.is_empty() || self.image.contains("://") || self.image.contains('@') {
            return Some(("image", "write the image as `HOST/NAME` or `HOST/NAME:TAG`, and its digest under `digest`"));
        }
        let is_digest = |digest: &String| {
            let hex = digest.strip_prefix("sha256:").unwrap_or_default();
            hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let wrong = self.digest.as_ref().is_some_and(|digest| !is_digest(digest));
        wrong.then_some(("digest", "a digest is `sha256:` and 64 hex digits, as `tollgate push` prints it"))
    }
}
