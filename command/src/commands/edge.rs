//! Arguments for the way of requests to the filter.

use super::error::CommandError;
use crate::analysis::edge::Normalization;
use crate::mesh::site;
use crate::output::report::Format;
use std::path::PathBuf;

/// Arguments that say how requests are seen.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct EdgeArguments {
    /// The gateway's treatment of paths; base if not given, as Istio does
    #[arg(long, value_enum, value_name = "SETTING", conflicts_with = "raw")]
    normalize: Option<Normalization>,
    /// The site file, whose `istio.pathNormalization` is taken
    #[arg(long, value_name = "FILE", conflicts_with_all = ["normalize", "raw"])]
    site: Option<PathBuf>,
    /// Take each request as the filter sees it, and not as a workload sends it
    #[arg(long)]
    raw: bool,
}

impl EdgeArguments {
    /// The treatment of paths on the way, whatever the policy says; none if requests are taken as the filter sees them.
    pub(crate) fn settings(&self) -> Result<Option<Normalization>, CommandError> {
        if self.raw {
            return Ok(None);
        }
        match &self.site {
            None => Ok(Some(self.normalize.unwrap_or_default())),
            Some(file) => {
                let site = site::read(file).map_err(|failure| CommandError::loading(failure, Format::Human))?;
                Ok(Some(site.istio.path_normalization.into()))
            }
        }
    }
}
