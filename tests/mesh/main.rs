//! The real control plane: a Kubernetes API server, istiod, Istio's agents, a registry, Envoys. `make e2e-istio` builds
//! them and runs this; without them every test is reported as ignored.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails where something is missing"
)]

mod checks;
mod cluster;
mod connections;
mod foreign;
mod grpc;
#[path = "../gateway/support/http2.rs"]
#[expect(dead_code, clippy::arithmetic_side_effects, reason = "the tests of the gateway send more")]
mod http2;
mod istiod;
mod lab;
mod origin;
mod pod;
mod process;
mod sandbox;

use libtest_mimic::{Arguments, Trial};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// Names the folder of the control plane's programs (tests/mesh/tools/build).
const TOOLS: &str = "TOLLGATE_MESH";

/// Every check, in order.
fn all() -> impl Iterator<Item = &'static (&'static str, checks::Check)> {
    checks::ALL.iter().chain(connections::ALL).chain(foreign::ALL)
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let tools = std::env::var_os(TOOLS).map(PathBuf::from);
    let Some(tools) = tools.filter(|_| !arguments.list) else {
        let ignored = all().map(|(name, _)| Trial::test(*name, || Ok(())).with_ignored_flag(true));
        arguments.ignored = false;
        return libtest_mimic::run(&arguments, ignored.collect()).exit_code();
    };
    if !sandbox::is_inside() {
        if !sandbox::is_possible() {
            eprintln!("the lab needs root, or namespaces of the kernel: nothing was tested");
            return ExitCode::FAILURE;
        }
        return sandbox::enter().map_or(ExitCode::FAILURE, |code| ExitCode::from(u8::try_from(code).unwrap_or(1)));
    }
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let started = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let lab = Arc::new(lab::Lab::start(&tools, folder.path()));
    println!("the lab is up after {} s", started.elapsed().as_secs());
    // one after another, in this order: some of them change what the next ones find
    arguments.test_threads = Some(1);
    let trials = all().map(|(name, check)| {
        let lab = Arc::clone(&lab);
        Trial::test(*name, move || {
            check(&lab);
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    println!("everything after {} s", started.elapsed().as_secs());
    conclusion.exit_code()
}
