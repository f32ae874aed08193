//! Reads from a line's words alone whether it speaks of a request.

use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tollgate::decision::{Authorizer, Reason, Scratch, Timestamp};
use tollgate::policy::Policy;
use tollgate::request::{
    Arrival, Authority, ClientHello, FirstBytes, Form, Host, Identity, Path, Source, Upgrade, is_method, object_key,
};

/// Settings of two policies that decide how a request is read.
pub struct Facts {
    domains: BTreeSet<String>,
    sources: BTreeSet<String>,
    same_sources: bool,
    default_ports: [u16; 2],
    /// Ports of connections that name none.
    connection_ports: [u16; 2],
    /// Names of the gateway itself: whoever is led there names another host.
    own: BTreeSet<String>,
    /// True if some target takes keys.
    takes_keys: bool,
}

impl Facts {
    pub fn of(old: &Value, new: &Value) -> Facts {
        let listed = |policy: &Value, key: &str, default: &str| -> BTreeSet<String> {
            let list = policy["identity"][key].as_array();
            list.map_or([default.to_owned()].into(), |list| {
                list.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
            })
        };
        let both = |key: &str, default: &str| [old, new].map(|policy| listed(policy, key, default));
        let [was, is] = both("sources", "peer-certificate");
        let default_ports = [old, new].map(|policy| policy["authority"]["defaultPort"].as_u64().unwrap_or(443) as u16);
        let connection_ports = [old, new].map(|policy| policy["tcp"]["port"].as_u64().unwrap_or(443) as u16);
        let own = [old, new].into_iter().filter_map(|policy| policy["tcp"]["self"].as_array()).flatten();
        Facts {
            connection_ports,
            own: own.map(|name| name.as_str().unwrap().to_owned()).collect(),
            domains: both("trustDomains", "cluster.local").into_iter().flatten().collect(),
            same_sources: was == is,
            sources: was.union(&is).cloned().collect(),
            default_ports,
            takes_keys: [old, new].iter().any(|policy| policy.to_string().contains(r#""encodedSlash":"key""#)),
        }
    }

    /// Tells whether the output has words for the request. It has none for an IPv6 address that hides an IPv4 address in
    /// its lower half, which is in no range (ISATAP, the client of Teredo, the local prefix of NAT64), nor for a path that
    /// is too long for costly patterns, nor for a connection to the gateway itself, into the mesh, in another spelling, or with a
    /// beginning that nobody can read.
    pub fn is_in_words(&self, arrival: &Arrival<'_>) -> bool {
        if arrival.connection.is_some() && (self.is_no_place(arrival.authority) || hello_of(arrival).is_none()) {
            return false;
        }
        if arrival.path.is_some_and(|path| path.len() > 8 << 10) {
            return false;
        }
        let mut buffer = Vec::new();
        let host = Authority::parse(arrival.authority, &mut buffer).map(|authority| authority.host);
        let Some(Host::Ip(IpAddr::V6(address))) = host else { return true };
        let hides =
            matches!(address.segments(), [_, _, _, _, 0 | 0x200, 0x5efe, ..] | [0x2001, 0, ..] | [0x64, 0xff9b, 1, ..]);
        !hides
    }

    /// Tells whether a connection to this authority is refused whatever rules say, or decided by another name.
    pub fn is_no_place(&self, authority: &[u8]) -> bool {
        let mut buffer = Vec::new();
        match Authority::parse(authority, &mut buffer) {
            None => true,
            Some(Authority { host: Host::Ip(address), .. }) => {
                let spelled = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
                let rest = authority.strip_prefix(spelled.as_bytes());
                rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with(b":"))
            }
            Some(Authority { host: Host::Name(name), .. }) => {
                let is_inside = |suffix: &str| name == suffix || name.ends_with(&format!(".{suffix}"));
                !authority.starts_with(name.as_bytes())
                    || authority.get(name.len()).is_some_and(|byte| *byte != b':')
                    || !name.contains('.')
                    || is_inside("svc")
                    || is_inside("cluster.local")
                    || self.own.contains(name)
            }
        }
    }

    /// Tells whether the output's words are exact for such a request: for methods in lower case they are not.
    pub fn is_exact_of(&self, arrival: &Arrival<'_>) -> bool {
        let mut buffer = Vec::new();
        let authority = Authority::parse(arrival.authority, &mut buffer);
        if arrival.connection.is_some() {
            return self.is_in_words(arrival);
        }
        is_method(arrival.method)
            && authority.is_some_and(|authority| authority.port.is_some() || arrival.method != b"CONNECT")
            && self.is_in_words(arrival)
    }

    /// Tells whether the line speaks of the caller and of the host.
    pub fn is_of_region(&self, line: &Value, arrival: &Arrival<'_>) -> bool {
        let mut buffer = Vec::new();
        let Some(authority) = Authority::parse(arrival.authority, &mut buffer) else { return false };
        let pair = |who: &Value, host: &Value| self.has_who(who, arrival) && has_host(host, authority.host);
        let list = |key: &str| line[key].as_array().unwrap().iter();
        list("identities").any(|who| list("hosts").any(|host| pair(who, host)))
            && !line["except"]
                .as_array()
                .is_some_and(|pairs| pairs.iter().any(|except| pair(&except["identity"], &except["host"])))
    }

    /// Tells whether the line speaks of the request, and of nothing that it might be or not. A path may be a key to some
    /// targets and no path to compare to others: a line that does not say `key` or `noKey` leaves open whether it means it.
    pub fn surely_covers(&self, line: &Value, arrival: &Arrival<'_>) -> bool {
        let depends_on_the_target = |path| (Path::parse(path, &mut Vec::new()).form == Form::Ambiguous) == is_key(path);
        let says = |part: &&Value| part["form"] == "key" || part["noKey"] == true;
        let is_said = || {
            let parts = line["paths"].as_array();
            parts.is_none_or(|parts| parts.iter().filter(says).any(|part| has_path(part, arrival.path)))
        };
        let is_open = self.takes_keys && arrival.path.is_some_and(depends_on_the_target);
        self.covers(line, arrival) && (!is_open || is_said())
    }

    /// Tells whether the line speaks of the caller, the host and the port.
    pub fn shares_way(&self, line: &Value, arrival: &Arrival<'_>) -> bool {
        let usual = if line["layer"] == "tcp" { self.connection_ports } else { self.default_ports };
        let named = || Authority::parse(arrival.authority, &mut Vec::new()).unwrap().port;
        self.is_of_region(line, arrival) && self.has_source(line, arrival) && has_port(&line["ports"], named(), usual)
    }

    /// Tells whether the line speaks of the request, or leaves it open.
    pub fn covers(&self, line: &Value, arrival: &Arrival<'_>) -> bool {
        if (line["layer"] == "tcp") != arrival.connection.is_some() {
            return false;
        }
        let has_hello = |only: &Value| only.as_array().unwrap().iter().any(|hello| hello.as_str() == hello_of(arrival));
        self.shares_way(line, arrival)
            && line.get("hello").is_none_or(|hello| has_hello(&hello["only"]))
            && line.get("methods").is_none_or(|methods| has_method(methods, arrival.method))
            && line.get("upgrades").is_none_or(|upgrades| has_upgrade(&upgrades["only"], arrival.upgrade))
            && line["overridden"].as_bool().is_none_or(|overridden| overridden == arrival.overridden)
            && line["paths"].as_array().is_none_or(|parts| parts.iter().any(|part| has_path(part, arrival.path)))
    }

    fn has_source(&self, line: &Value, arrival: &Arrival<'_>) -> bool {
        match (line["source"].as_str(), arrival.identity) {
            (Some(source), Some(identity)) => {
                self.same_sources || source == name(identity.source) || !self.reads(identity.source)
            }
            _ => true,
        }
    }

    fn reads(&self, source: Source) -> bool {
        self.sources.contains(name(source))
    }

    fn has_who(&self, part: &Value, arrival: &Arrival<'_>) -> bool {
        let id = arrival.identity.filter(|identity| !identity.id.is_empty() && self.reads(identity.source));
        let known =
            id.and_then(|id| Identity::parse(id.id)).filter(|known| self.domains.contains(known.trust_domain()));
        let is = |of: &Value| match (of, known) {
            (of, None) => {
                of.get("anonymous").is_some() && id.is_none()
                    || id.is_some_and(|id| {
                        of.get("untrusted").is_some() || of["spiffe"].as_str().map(str::as_bytes) == Some(id.id)
                    })
            }
            (of, Some(known)) => {
                let domain = of["trustDomain"].as_str();
                match (of["spiffe"].as_str(), of["namespace"].as_str()) {
                    (Some(spiffe), _) => spiffe.as_bytes() == id.unwrap().id,
                    (None, Some(namespace)) => {
                        known.namespace() == Some(namespace) && domain == Some(known.trust_domain())
                    }
                    (None, None) => domain == Some(known.trust_domain()),
                }
            }
        };
        is_of_part(part, is)
    }
}

/// Tells whether a port is among those of a line; `usual` are those that the two policies mean where none is named.
fn has_port(ports: &Value, named: Option<u16>, usual: [u16; 2]) -> bool {
    let [old, new] = usual;
    if ports == "unnamed" {
        return named.is_none();
    }
    if named.is_none() && old != new {
        return false;
    }
    let port = named.unwrap_or(old);
    let holds = |listed: &Vec<Value>| {
        listed.iter().any(|listed| match listed.as_str().and_then(|range| range.split_once('-')) {
            Some((first, last)) => (first.parse().unwrap()..=last.parse().unwrap()).contains(&port),
            None => *listed == port,
        })
    };
    match (ports["only"].as_array(), ports["but"].as_array()) {
        (Some(only), _) => holds(only),
        (_, Some(but)) => !holds(but),
        _ => panic!("{ports}"),
    }
}

/// The word for the beginning of a connection; none where nobody can read it.
fn hello_of(arrival: &Arrival<'_>) -> Option<&'static str> {
    let mut buffer = Vec::new();
    let host = match Authority::parse(arrival.authority, &mut buffer)?.host {
        Host::Name(name) => name.to_owned(),
        Host::Ip(address) => address.to_string(),
    };
    match arrival.connection?.first {
        FirstBytes::Unseen | FirstBytes::Http | FirstBytes::Unreadable => None,
        FirstBytes::Silent => Some("silent"),
        FirstBytes::NoHello => Some("unnamed"),
        FirstBytes::Hello(ClientHello { server_name: None, ech }) => Some(if ech { "unnamedEch" } else { "unnamed" }),
        FirstBytes::Hello(ClientHello { server_name: Some(name), .. }) if name != host.as_bytes() => Some("other"),
        FirstBytes::Hello(ClientHello { ech, .. }) => Some(if ech { "namedEch" } else { "named" }),
    }
}

fn name(source: Source) -> &'static str {
    match source {
        Source::PeerCertificate => "peer-certificate",
        Source::PeerPrincipal => "peer-principal",
    }
}

fn is_of_part(part: &Value, is: impl Fn(&Value) -> bool) -> bool {
    is(&part["of"]) && !part["but"].as_array().is_some_and(|but| but.iter().any(is))
}

fn has_host(part: &Value, host: Host<'_>) -> bool {
    is_of_part(part, |of| {
        let of = of.as_str().unwrap();
        match (host, range(of)) {
            (Host::Ip(address), Some((first, last))) => {
                address.is_ipv4() == first.is_ipv4() && first <= address && address <= last
            }
            (Host::Name(name), None) if has_star_inside(of) => fits(of, name),
            (Host::Name(name), None) => match of.rsplit_once("*.") {
                None if of == "*" => !name.contains('.'),
                None if of == "**" => name.contains('.'),
                None => name == of,
                Some((stars, above)) => name
                    .strip_suffix(above)
                    .and_then(|before| before.strip_suffix('.'))
                    .is_some_and(|before| stars == "*" || !before.contains('.')),
            },
            _ => false,
        }
    })
}

/// Tells a `*` before which there are other characters, or behind which there is no dot.
fn has_star_inside(of: &str) -> bool {
    !of.starts_with("**") && of.find('*').is_some_and(|at| at > 0 || of.len() > 1 && !of[1..].starts_with('.'))
}

/// Tells whether a name fits a pattern with one `*` inside.
fn fits(of: &str, name: &str) -> bool {
    let (pattern, widely) = of.strip_suffix(" (widely)").map_or((of, false), |pattern| (pattern, true));
    let labels: Vec<(&str, &str)> = pattern.split('.').zip(name.split('.')).collect();
    pattern.split('.').count() == name.split('.').count()
        && labels.into_iter().all(|(pattern, label)| match pattern.split_once('*') {
            None => pattern == label,
            Some(("", "")) => true,
            Some((before, behind)) => {
                label.len() > before.len() + behind.len()
                    && label.starts_with(before)
                    && label.ends_with(behind)
                    && (widely || !label.starts_with("xn--"))
            }
        })
}

/// The first and the last address of what is written as an address, a CIDR block or a range.
fn range(of: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some((first, bits)) = of.split_once('/') {
        let (first, bits) = (first.parse().unwrap(), bits.parse::<u32>().unwrap());
        let last = match first {
            IpAddr::V4(first) => (first | Ipv4Addr::from(u32::MAX.checked_shr(bits).unwrap_or(0))).into(),
            IpAddr::V6(first) => (first | Ipv6Addr::from(u128::MAX.checked_shr(bits).unwrap_or(0))).into(),
        };
        return Some((first, last));
    }
    let (first, last) = of.split_once('-').unwrap_or((of, of));
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn has_method(methods: &Value, method: &[u8]) -> bool {
    let method = std::str::from_utf8(method).unwrap();
    let lists =
        |list: &Value| list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let canonical = is_method(method.as_bytes());
    let says = |token: &String| {
        if canonical { token == method } else { token.eq_ignore_ascii_case(method) && !is_method(token.as_bytes()) }
    };
    match (methods.get("only"), methods.get("but")) {
        (Some(only), _) => lists(only).iter().any(|token| says(token) || token == "a-z" && !canonical),
        (_, Some(but)) => !lists(but).iter().any(says),
        _ => panic!("{methods}"),
    }
}

fn has_upgrade(only: &Value, upgrade: Upgrade<'_>) -> bool {
    let has = |word: &str| only.as_array().unwrap().iter().any(|one| one == word);
    match upgrade {
        Upgrade::Absent => has("none"),
        Upgrade::To(protocol) if protocol.eq_ignore_ascii_case(b"websocket") => has("websocket") || has("any"),
        Upgrade::To(_) | Upgrade::Several => has("other") || has("any"),
    }
}

fn has_path(part: &Value, path: Option<&[u8]>) -> bool {
    let Some(path) = path else { return part["form"] == "absent" };
    let form = Path::parse(path, &mut Vec::new()).form;
    let fits = match part["form"].as_str().unwrap() {
        "canonical" => form == Form::Canonical,
        "encodedSlash" => form == Form::EncodedSlash,
        "key" => form == Form::Ambiguous && is_key(path),
        "ambiguous" => form == Form::Ambiguous,
        _ => false,
    };
    let every = |key: &str, wanted: bool, wide: bool| {
        part[key]
            .as_array()
            .is_none_or(|patterns| patterns.iter().all(|pattern| matches(pattern, path, wide) == wanted))
    };
    fits && (part["noKey"] != true || !is_key(path))
        && (part["form"] == "ambiguous"
            || every("matching", true, false)
                && every("matchingWidely", true, true)
                && every("but", false, false)
                && every("butWidely", false, true))
}

fn is_key(path: &[u8]) -> bool {
    object_key(path, &mut Vec::new()).is_some()
}

/// Tells whether a pattern matches a path, by a policy that consists of it.
fn matches(pattern: &Value, path: &[u8], wide: bool) -> bool {
    thread_local! {
        static KNOWN: RefCell<HashMap<(String, bool), Policy>> = RefCell::default();
    }
    // behind a literal segment, every pattern can be compared with a key
    let of_key = !wide && Path::parse(path, &mut Vec::new()).form == Form::Ambiguous;
    let key_path = [b"/key", path].concat();
    let path = if of_key { &key_path } else { path };
    let pattern = if of_key { json!(format!("/key{}", pattern.as_str().unwrap())) } else { pattern.clone() };
    let slash = if of_key { "key" } else { "data" };
    let target = json!([{"hosts": ["a.test"], "paths": [pattern], "encodedSlash": slash}]);
    let compile = || {
        let list = if wide {
            json!({"deny": [{"id": "x", "to": target}]})
        } else {
            json!({"rules": [{"id": "x", "from": [{"anonymous": true}], "to": target}]})
        };
        let mut policy = json!({"version": 1, "name": "one"});
        policy.as_object_mut().unwrap().extend(list.as_object().unwrap().clone());
        Policy::load(policy.to_string().as_bytes()).unwrap()
    };
    KNOWN.with_borrow_mut(|known| {
        let policy = known.entry((format!("{slash}{pattern}"), wide)).or_insert_with(compile);
        let arrival = Arrival { authority: b"a.test", method: b"GET", path: Some(path), ..Arrival::default() };
        let reason = Authorizer::new(policy).decide(&arrival, Timestamp(0), &mut Scratch::default()).decision.reason;
        reason == if wide { Reason::DenyRule } else { Reason::RuleAllow }
    })
}
