//! `tollgate-local`: the demo, and the same gateway to play with.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use tollgate_local::background::{self, Settings};
use tollgate_local::envoy::binary;
use tollgate_local::{compose, demo, module, paths, supply};

/// A local egress gateway: real Envoys, a throw-away PKI and an "external" server on loopback.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// The release of Envoy to run.
    #[arg(long, env = "TOLLGATE_ENVOY", default_value = binary::newest(), global = true)]
    envoy: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch Envoy (every pinned release) and nothing else.
    Fetch,
    /// Play the scenarios and print what came of them.
    Demo,
    /// Keep the gateway running in the background, and print how to ask it for things.
    Up(Up),
    /// Tell what the gateway that runs made of the policy file, and who its callers are.
    Status,
    /// Stop it.
    Down,
    /// Write what the containers of compose.yaml share into a folder.
    Compose(Compose),
    /// Print what the module is made of (CycloneDX, JSON).
    Sbom,
    /// Print how the module is built (predicate of a SLSA provenance, JSON); from a clean checkout.
    Provenance,
    /// What `up` runs in the background.
    #[command(hide = true)]
    Serve(Up),
}

#[derive(Args)]
struct Up {
    /// The policy file to serve; edits take effect when it is saved.
    #[arg(long, env = "TOLLGATE_POLICY", default_value_os_t = demo::Script::policy_file())]
    policy: PathBuf,
    /// The first port: the gateway; the next is its admin interface, then one for each workload. 0 takes free ones.
    #[arg(long, env = "TOLLGATE_PORT", default_value_t = 18_400)]
    port: u16,
    /// Callers in place of the demo's: accounts (NAMESPACE/NAME) or SPIFFE IDs.
    #[arg(long = "as", env = background::CALLERS, value_name = "CALLER", value_delimiter = ',')]
    callers: Vec<String>,
}

#[derive(Args)]
struct Compose {
    folder: PathBuf,
    /// The policy file to serve; write again after an edit.
    #[arg(long, env = "TOLLGATE_POLICY", default_value_os_t = demo::Script::policy_file())]
    policy: PathBuf,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<bool> {
    paths::check()?;
    let tools = paths::tools();
    let install = || binary::install(&tools, &cli.envoy);
    let settings = |up: Up| -> Result<Settings> {
        let policy = std::path::absolute(up.policy)?;
        Ok(Settings { envoy: cli.envoy.clone(), policy, callers: up.callers, port: up.port })
    };
    match cli.command {
        Command::Fetch => {
            for version in binary::PINNED {
                writeln!(std::io::stdout(), "{}", binary::install(&tools, version)?.display())?;
            }
            Ok(true)
        }
        Command::Demo => {
            let modules = [module::HTTP.find_or_build()?, module::TCP.find_or_build()?];
            let [http, tcp] = modules.each_ref().map(PathBuf::as_path);
            demo::run(&install()?, [http, tcp], &paths::local().join("demo"))
        }
        Command::Up(up) => {
            let settings = settings(up)?;
            // Whatever takes long or can fail is done here, where one can see it.
            install()?;
            background::up(&settings, &module::HTTP.find_or_build()?)
        }
        Command::Serve(up) => background::serve(&settings(up)?, &install()?, &module::HTTP.find_or_build()?),
        Command::Compose(Compose { folder, policy }) => {
            compose::write(&std::path::absolute(folder)?, &policy, &module::HTTP.find_or_build()?)?;
            Ok(true)
        }
        Command::Sbom => print(&supply::bill_of_materials()?),
        Command::Provenance => print(&supply::provenance()?),
        Command::Status => background::status(),
        Command::Down => background::down(),
    }
}

fn print(value: &serde_json::Value) -> Result<bool> {
    writeln!(std::io::stdout(), "{value:#}")?;
    Ok(true)
}
