//! The control plane of a site.

use super::{NAMESPACE, Wrong, at, is_label};
use crate::analysis::edge::Normalization;
use serde::Deserialize;

/// The control plane.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Istio {
    pub(crate) version: String,
    #[serde(default = "root_namespace")]
    pub(crate) namespace: String,
    #[serde(default)]
    pub(crate) path_normalization: PathNormalization,
}

/// The mesh's setting of that name: what is done to paths before anything sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum PathNormalization {
    /// Nothing.
    None,
    /// Dot segments and escapes of unreserved characters are resolved, backslashes are read as slashes.
    #[default]
    #[serde(alias = "DEFAULT")]
    Base,
    /// Besides, several slashes become one.
    MergeSlashes,
    /// Besides, escaped slashes are decoded first.
    DecodeAndMergeSlashes,
}

impl From<PathNormalization> for Normalization {
    fn from(setting: PathNormalization) -> Normalization {
        match setting {
            PathNormalization::None => Normalization::None,
            PathNormalization::Base => Normalization::Base,
            PathNormalization::MergeSlashes => Normalization::Merge,
            PathNormalization::DecodeAndMergeSlashes => Normalization::Decode,
        }
    }
}

fn root_namespace() -> String {
    "istio-system".to_owned()
}

impl Istio {
    /// `31` of `1.31` and `1.31.2`.
    pub(crate) fn minor(&self) -> Option<u32> {
        let mut parts = self.version.split('.');
        (parts.next() == Some("1")).then_some(())?;
        parts.next()?.parse().ok()
    }

    pub(super) fn wrong(&self) -> Option<Wrong> {
        if self.minor().is_none() {
            return at("version", "write a version as `\"1.31\"`, in quotes");
        }
        at("namespace", NAMESPACE).filter(|_| !is_label(&self.namespace))
    }
}
