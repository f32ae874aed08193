//! The price of a connection: Envoy's CPU time for a short one over mTLS, with and without the filter for connections. Prints
//! medians; the two take turns.
#![expect(clippy::print_stdout, reason = "the numbers are its output")]

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use tollgate_local::envoy::binary;
use tollgate_local::gateway::Gateway;
use tollgate_local::lab::Lab;
use tollgate_local::origin::RawOrigin;
use tollgate_local::pki::{Credentials, Signer};
use tollgate_local::plugin::Plugin;
use tollgate_local::tcp_gateway::{self, TcpGatewayConfig};
use tollgate_local::{module, paths};

const ROUNDS: usize = 9;
const CONNECTIONS: u32 = 1_000;
const HOST: &str = "host-7.example.com";

fn main() -> Result<()> {
    let newest = binary::PINNED.last().context("no Envoy is pinned")?;
    let envoy = binary::install(&paths::tools(), newest)?;
    let lab = Lab::temporary()?;
    let server = RawOrigin::start(Vec::new(), b"answer".to_vec())?;
    let cluster = format!("outbound|443||{HOST}");
    let clusters = vec![(cluster.clone(), server.address())];
    let plugin = Plugin::of_connections(lab.dir(), &module::TCP.find_or_build()?)?;
    plugin.publish(&policy())?;
    let start = |name, filters, to| {
        tcp_gateway::start(
            &lab,
            &envoy,
            &TcpGatewayConfig { name, filters, clusters: clusters.clone(), to, ..TcpGatewayConfig::default() },
        )
    };
    let plain = start("plain", Vec::new(), Some(cluster.as_str()))?;
    let filtered = start("filtered", plugin.guarded(), None)?;
    let caller = lab.pki().workload(Signer::Mesh, &["spiffe://cluster.local/ns/team-7/sa/app"])?;
    let hello = hello();
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(round(&lab, &plain, &caller, &hello)?);
        with.push(round(&lab, &filtered, &caller, &hello)?);
        server.take();
    }
    let (without, with) = (median(without), median(with));
    println!(
        "{without:.0} µs of Envoy's CPU a connection without the filter, {with:.0} with it: {:.3} times",
        with / without
    );
    Ok(())
}

/// A thousand rules, one for each of a thousand teams.
fn policy() -> String {
    let rule = |number: u32| {
        format!(
            r#"{{"id": "r{number}", "from": [{{"namespace": "team-{number}"}}], "to": [{{"hosts": ["host-{number}.example.com"]}}]}}"#
        )
    };
    let rules: Vec<String> = (0..1_000).map(rule).collect();
    format!(r#"{{"version": 1, "name": "bench", "rules": [{}]}}"#, rules.join(","))
}

/// A ClientHello that names the host, of the size that clients send.
fn hello() -> Vec<u8> {
    let sized = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let name = sized(&[&[0][..], &sized(HOST.as_bytes())].concat());
    let extensions = [&[0, 0][..], &sized(&name), &[0, 21], &sized(&[0; 380])].concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 4, 0x13, 1, 0x13, 2], &[1, 0], &sized(&extensions)].concat();
    let message = [&[1, 0][..], &sized(&body)].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

/// Microseconds of Envoy's CPU time a connection.
fn round(lab: &Lab, gateway: &Gateway, caller: &Credentials, hello: &[u8]) -> Result<f64> {
    let before = cpu(gateway.id())?;
    for _ in 0..CONNECTIONS {
        let name = format!("outbound_.443_._.{HOST}");
        let mut stream = lab.connect_by_name(gateway.address(), Some(caller), &name)?;
        stream.write_all(hello)?;
        stream.flush()?;
        let _: usize = stream.read(&mut [0; 64])?;
    }
    Ok((cpu(gateway.id())? - before) / f64::from(CONNECTIONS))
}

/// Microseconds of CPU time that a process has used.
fn cpu(process: u32) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let file: PathBuf = thread?.path().join("schedstat");
        let text = fs::read_to_string(file)?;
        nanoseconds += text.split_whitespace().next().context("no time")?.parse::<f64>()?;
    }
    Ok(nanoseconds / 1e3)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
