//! Namespaces of the kernel in which the lab runs: nothing of it is seen outside, and nothing of it outlives them.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set in the process that runs inside.
const INSIDE: &str = "TOLLGATE_MESH_INSIDE";
/// The bridge's own address: that of the machine, to pods.
pub const NODE: &str = "10.244.0.1";

/// Tells whether this process is the one that runs inside.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs this program again in namespaces of its own: processes, network, mounts. They end with it.
pub fn enter() -> io::Result<i32> {
    let own = std::env::current_exe()?;
    // whatever becomes of this process, the one inside ends with it, and everything in there
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(own)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()?;
    Ok(status.code().unwrap_or(1))
}

/// Tells whether the machine lets one make such namespaces.
pub fn is_possible() -> bool {
    let mut tried = Command::new("unshare");
    tried.args(["--net", "--mount", "--pid", "--fork", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    tried.status().is_ok_and(|status| status.success())
}

/// Sets up the machine that the lab runs on: its network, its names, the authorities that it trusts.
pub fn prepare(names: &[(&str, &str)], authorities: &str, folder: &Path) {
    ip("link set lo up");
    // a bridge without an address of its own takes that of a port, and pods remember the one before
    ip("link add mesh0 address 02:00:00:00:00:01 type bridge");
    ip(&format!("addr add {NODE}/16 dev mesh0"));
    ip("link set mesh0 up");
    // what is written here is not the machine's
    for place in ["/run", "/var/lib", "/etc/ssl/certs"] {
        run("mount", &["-t", "tmpfs", "tmpfs", place]);
    }
    fs::create_dir_all("/run/netns").unwrap();
    fs::write("/etc/ssl/certs/ca-certificates.crt", authorities).unwrap();
    let hosts: String = names.iter().map(|(name, address)| format!("{address} {name}\n")).collect();
    let hosts = format!("127.0.0.1 localhost\n{hosts}");
    replace("/etc/hosts", &hosts, folder);
    replace("/etc/resolv.conf", "nameserver 127.0.0.1\n", folder);
}

/// Puts a text in the place of a file of the machine.
fn replace(file: &str, text: &str, folder: &Path) {
    let own = folder.join(file.trim_start_matches('/').replace('/', "-"));
    fs::write(&own, text).unwrap();
    run("mount", &["--bind", own.to_str().unwrap(), file]);
}

/// An address that the lab's machine answers on.
pub fn address(address: &str) {
    ip(&format!("addr add {address}/32 dev mesh0"));
}

/// The user that workloads run as.
const WORKLOAD: &str = "4321";
/// The port at which a sidecar takes what was led to it.
const SIDECAR: u16 = 15001;

/// The network of a pod.
#[derive(Clone, Debug)]
pub struct Net {
    pub name: String,
    pub address: String,
}

impl Net {
    /// A network of its own with one address, on the lab's bridge.
    pub fn new(name: &str, address: &str) -> Net {
        // a link's name has 15 characters at most: the last half of the address tells pods apart
        let link = address.splitn(3, '.').last().unwrap().replace('.', "-");
        ip(&format!("netns add {name}"));
        ip(&format!("link add pod{link} type veth peer name eth0 netns {name}"));
        ip(&format!("link set pod{link} master mesh0 up"));
        for what in [
            format!("addr add {address}/16 dev eth0"),
            "link set eth0 up".to_owned(),
            "link set lo up".to_owned(),
            format!("route add default via {NODE}"),
        ] {
            ip(&format!("-n {name} {what}"));
        }
        Net { name: name.to_owned(), address: address.to_owned() }
    }

    /// Leads whatever a workload connects to into its sidecar, as Istio's own set-up does, which goes by users as well.
    pub fn capture(&self) {
        let line = format!(
            "netns exec {} iptables -t nat -A OUTPUT -p tcp -m owner --uid-owner {WORKLOAD} -j REDIRECT --to-ports {SIDECAR}",
            self.name
        );
        ip(&line);
    }

    /// Runs something in the pod's network, as its workload.
    pub fn as_workload<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.inside(|| {
            // of this thread alone, which ends with the work
            let user = rustix::process::Uid::from_raw(WORKLOAD.parse().unwrap());
            rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            work()
        })
    }

    /// Runs something in the pod's network.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = PathBuf::from("/run/netns").join(&self.name);
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let net = File::open(path).unwrap();
                let network = rustix::thread::LinkNameSpaceType::Network;
                rustix::thread::move_into_link_name_space(net.as_fd(), Some(network)).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }
}

fn ip(arguments: &str) {
    run("ip", &arguments.split(' ').collect::<Vec<_>>());
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {said}", arguments.join(" "));
}
