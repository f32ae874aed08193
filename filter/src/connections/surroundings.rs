//! Names of the place that a connection was led to, by what it came through.

use tollgate::policy::Settings;
use tollgate::request::{Connection, FirstBytes};

use crate::host::{Attribute, Failure, Host};

/// Names of the place that a connection was led to. Each is asked for once, since none of them changes: a host call that
/// returns bytes costs more than a decision.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    authority: Option<Box<[u8]>>,
    chain: Option<Box<[u8]>>,
    outer_sni: Option<Box<[u8]>>,
}

impl Surroundings {
    /// Asks for what is not known yet. Tunnels and chains name places only where identities come through the mesh's tunnel, at
    /// waypoints and behind an explicit proxy.
    pub(crate) fn read(&mut self, host: &mut impl Host, settings: &Settings) -> Result<(), Failure> {
        if settings.reads_principals() {
            ask(&mut self.authority, host, Attribute::TunnelAuthority)?;
            ask(&mut self.chain, host, Attribute::FilterChain)?;
        }
        ask(&mut self.outer_sni, host, Attribute::ServerName)
    }

    /// Asks for the chain where it can name a place, and tells whether it has a name.
    pub(crate) fn has_chain(&mut self, host: &mut impl Host, settings: &Settings) -> bool {
        // what cannot be read is asked for again with the first bytes
        settings.reads_principals()
            && ask(&mut self.chain, host, Attribute::FilterChain).is_ok()
            && self.chain.as_ref().is_some_and(|chain| !chain.is_empty())
    }

    /// The connection as it arrived.
    pub(crate) fn connection<'a>(&'a self, first: FirstBytes<'a>) -> Connection<'a> {
        let [authority, chain, outer_sni] =
            [&self.authority, &self.chain, &self.outer_sni].map(|name| name.as_deref().unwrap_or_default());
        Connection { authority, chain, outer_sni, first }
    }
}

fn ask(name: &mut Option<Box<[u8]>>, host: &mut impl Host, attribute: Attribute) -> Result<(), Failure> {
    if name.is_none() {
        *name = Some(host.attribute(attribute)?.unwrap_or_default().into_boxed_slice());
    }
    Ok(())
}
