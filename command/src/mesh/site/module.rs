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
    /// The image of the filter for connections.
    #[serde(default)]
    tcp: TcpModule,
}

/// The image of the filter for connections.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TcpModule {
    /// The name of the other with `-tcp`, unless given.
    image: Option<String>,
    digest: Option<String>,
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
    /// Image and digest of the filter for connections: by default the other's name and tag, with `-tcp` behind the name.
    pub(crate) fn of_connections(&self) -> (String, Option<&str>) {
        let named = || {
            let name = without_tag(&self.image);
            format!("{name}-tcp{}", self.image.strip_prefix(name).unwrap_or_default())
        };
        (self.tcp.image.clone().unwrap_or_else(named), self.tcp.digest.as_deref())
    }

    pub(super) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let is_image = |image: &str| !image.is_empty() && !image.contains("://") && !image.contains('@');
        let message = "write the image as `HOST/NAME` or `HOST/NAME:TAG`, and its digest under `digest`";
        if !is_image(&self.image) {
            return Some(("image", message));
        }
        if self.tcp.image.as_deref().is_some_and(|image| !is_image(image)) {
            return Some(("tcp.image", message));
        }
        let is_digest = |digest: &String| {
            let hex = digest.strip_prefix("sha256:").unwrap_or_default();
            hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let digests = [("digest", &self.digest), ("tcp.digest", &self.tcp.digest)];
        let (key, _) =
            digests.into_iter().find(|(_, digest)| digest.as_ref().is_some_and(|digest| !is_digest(digest)))?;
        Some((key, "a digest is `sha256:` and 64 hex digits, as `tollgate push` prints it"))
    }
}

/// The name of an image without its tag.
pub(crate) fn without_tag(image: &str) -> &str {
    image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(image, |(name, _)| name)
}
