//! TCP connections: where they were led, what the caller's own TLS has to say, and the way out.

use tollgate::decision::{Authorizer, Near, Scratch, Timestamp, Way};
use tollgate::policy::Policy;
use tollgate::request::{Arrival, ClientHello, Connection, FirstBytes, Presented, Source};

const POLICY: &str = r#"{"version": 1, "name": "p", "tcp": {"port": 443, "self": ["egress.mesh.svc.cluster.local"]},
    "rules": [
        {"id": "api", "from": [{"any": true}], "to": [{"hosts": ["api.test"]}]},
        {"id": "wild", "from": [{"any": true}], "to": [{"hosts": ["*.wild.test"], "ports": [443, 8443]}]},
        {"id": "db", "from": [{"any": true}], "to": [{"hosts": ["db.test"], "ports": [5432], "clientHello": "optional"}]},
        {"id": "hidden", "from": [{"any": true}], "to": [{"hosts": ["hidden.test"], "ech": "allow"}]},
        {"id": "paths", "from": [{"any": true}], "to": [{"hosts": ["paths.test"], "paths": ["/a/**"]}]},
        {"id": "set-aside", "from": [{"any": true}], "to": [
            {"hosts": ["aside.test"], "paths": ["/a/**"], "methods": ["GET"], "overTls": "host-only"}]},
        {"id": "net", "from": [{"any": true}], "to": [{"cidrs": ["203.0.113.0/24"], "clientHello": "optional"}]},
        {"id": "ended", "from": [{"any": true}], "to": [{"hosts": ["ended.test"]}], "expiresAt": "2020-01-01T00:00:00Z"}],
    "deny": [{"id": "no-bad", "to": [{"hosts": ["bad.wild.test"], "paths": ["/x"]}]}]}"#;
const ID: Presented<'static> = Presented { source: Source::PeerCertificate, id: b"spiffe://cluster.local/ns/a/sa/b" };

fn hello(name: &str) -> FirstBytes<'_> {
    FirstBytes::Hello(ClientHello { server_name: Some(name.as_bytes()), ech: false })
}

fn ech(name: &str) -> FirstBytes<'_> {
    FirstBytes::Hello(ClientHello { server_name: Some(name.as_bytes()), ech: true })
}

const NAMELESS: FirstBytes<'static> = FirstBytes::Hello(ClientHello { server_name: None, ech: false });

/// `REASON rule host:port way`, the latter two as far as there are any.
fn decide(policy: &str, connection: Connection<'_>) -> String {
    let policy = Policy::load(policy.as_bytes()).unwrap();
    let arrival = Arrival::of_connection(Some(ID), connection);
    let mut scratch = Scratch::default();
    let now = Timestamp(1_800_000_000_000_000_000);
    let evaluation = Authorizer::new(&policy).decide(&arrival, now, &mut scratch);
    let decision = &evaluation.decision;
    let way = match evaluation.way {
        Way::Own => "own",
        Way::Dynamic => "dynamic",
        Way::Http => "http",
    };
    let host = match evaluation.host {
        Some(tollgate::request::Host::Name(name)) => name.to_owned(),
        Some(tollgate::request::Host::Ip(address)) => address.to_string(),
        None => "-".to_owned(),
    };
    let port = evaluation.port.map_or_else(|| "-".to_owned(), |port| port.to_string());
    format!("{} {} {host}:{port} {way}", decision.reason.as_str(), decision.rule.unwrap_or("-"))
}

fn outer<'a>(outer_sni: &'a str, first: FirstBytes<'a>) -> Connection<'a> {
    Connection { outer_sni: outer_sni.as_bytes(), first, ..Connection::default() }
}

#[test]
fn host_and_port_come_from_what_led_the_connection_here() {
    let api = hello("api.test");
    let chain = |chain: &'static str| Connection { chain: chain.as_bytes(), first: api, ..Connection::default() };
    let authority =
        |authority: &'static str, first| Connection { authority: authority.as_bytes(), first, ..Connection::default() };
    for (connection, expected) in [
        (outer("outbound_.443_._.api.test", api), "RULE_ALLOW api api.test:443 own"),
        (outer("outbound_.443_.subset_.api.test", api), "RULE_ALLOW api api.test:443 own"),
        (outer("outbound_.8443_._.api.test", api), "NO_MATCH - api.test:8443 dynamic"),
        (outer("api.test", api), "RULE_ALLOW api api.test:443 own"),
        (chain("inbound-vip|443|tcp|api.test"), "RULE_ALLOW api api.test:443 own"),
        (authority("api.test:443", api), "RULE_ALLOW api api.test:443 dynamic"),
        (authority("API.Test.:443", api), "RULE_ALLOW api api.test:443 dynamic"),
        (authority("203.0.113.9:443", FirstBytes::NoHello), "RULE_ALLOW net 203.0.113.9:443 dynamic"),
        (authority("api.test:8443", api), "NO_MATCH - api.test:8443 dynamic"),
        (outer("outbound_.443_._.egress.mesh.svc.cluster.local", api), "RULE_ALLOW api api.test:443 dynamic"),
        (outer("egress.mesh.svc.cluster.local", hello("a.wild.test")), "RULE_ALLOW wild a.wild.test:443 dynamic"),
        (outer("outbound_.8443_._.a.wild.test", hello("a.wild.test")), "RULE_ALLOW wild a.wild.test:8443 dynamic"),
        (outer("outbound_.8443_._.*.wild.test", hello("a.wild.test")), "RULE_ALLOW wild a.wild.test:8443 dynamic"),
        (outer("outbound_.443_._.203.0.113.9", FirstBytes::NoHello), "RULE_ALLOW net 203.0.113.9:443 dynamic"),
        (outer("outbound_.443_._.198.51.100.9", FirstBytes::NoHello), "NO_MATCH - 198.51.100.9:443 dynamic"),
        // the first source that there is
        (
            Connection { outer_sni: b"outbound_.443_._.bad.test", ..chain("inbound-vip|443|tcp|api.test") },
            "RULE_ALLOW api api.test:443 own",
        ),
        (Connection { outer_sni: b"api.test", ..chain("named-chain") }, "RULE_ALLOW api api.test:443 own"),
        (
            Connection { outer_sni: b"bad.test", ..authority("api.test:443", api) },
            "RULE_ALLOW api api.test:443 dynamic",
        ),
    ] {
        assert_eq!(decide(POLICY, connection), expected, "{connection:?}");
    }
}

#[test]
fn what_names_no_host_outside_is_refused() {
    for name in [
        "",
        "outbound_.443_._.",
        "outbound_.443_.api.test",
        "outbound_.0_._.api.test",
        "outbound_.0443_._.api.test",
        "outbound_.65536_._.api.test",
        "outbound_.+443_._.api.test",
        "outbound_.443_._.API.test",
        "outbound_.443_._.api.test.",
        "outbound_.443_._.*.203.0.113.9",
        "outbound_.443_._.**.wild.test",
        "outbound_.443_._.a.*.test",
        "api.test:443",
        "API.test",
        "localhost",
        "outbound_.443_._.redis",
        "outbound_.443_._.redis.payments.svc",
        "redis.payments.svc.cluster.local",
        "svc",
        "outbound_.443_._.cluster.local",
        "outbound_.443_._.010.0.0.1",
    ] {
        assert!(decide(POLICY, outer(name, hello("api.test"))).starts_with("HOST_INVALID"), "{name}");
    }
    for chain in ["direct-tcp", "direct-http", "inbound|8080||", "inbound-vip|x|tcp|api.test", "a|443|c|redis"] {
        let connection = Connection {
            chain: chain.as_bytes(),
            outer_sni: b"api.test",
            first: hello("api.test"),
            ..Connection::default()
        };
        assert!(decide(POLICY, connection).starts_with("HOST_INVALID"), "{chain}");
    }
    for authority in
        ["api.test", "api.test:0", "api.test:0443", "a@api.test:443", "redis:443", "egress.mesh.svc.cluster.local:443"]
    {
        let connection = Connection {
            authority: authority.as_bytes(),
            outer_sni: b"api.test",
            first: hello("api.test"),
            ..Connection::default()
        };
        assert!(decide(POLICY, connection).starts_with("HOST_INVALID"), "{authority}");
    }
    // the caller's own name leads nowhere inside, either
    for inner in ["redis", "redis.payments.svc", "redis.payments.svc.cluster.local", "egress.mesh.svc.cluster.local"] {
        let connection = outer("egress.mesh.svc.cluster.local", hello(inner));
        assert!(decide(POLICY, connection).starts_with("HOST_INVALID"), "{inner}");
    }
}

#[test]
fn the_callers_own_tls_has_to_name_the_host() {
    let own = "outbound_.443_._.egress.mesh.svc.cluster.local";
    for (name, first, expected) in [
        ("outbound_.443_._.api.test", hello("bad.test"), "SNI_MISMATCH"),
        ("outbound_.443_._.api.test", hello("API.test"), "SNI_MISMATCH"),
        ("outbound_.443_._.api.test", hello("api.test."), "SNI_MISMATCH"),
        ("outbound_.443_._.api.test", NAMELESS, "SNI_MISSING"),
        ("outbound_.443_._.api.test", FirstBytes::NoHello, "SNI_MISSING"),
        ("outbound_.443_._.api.test", FirstBytes::Unreadable, "SNI_MISSING"),
        ("outbound_.443_._.api.test", ech("api.test"), "SNI_MISSING"),
        ("outbound_.443_._.api.test", FirstBytes::Unseen, "RULE_ALLOW"),
        ("outbound_.443_._.other.test", FirstBytes::NoHello, "NO_MATCH"),
        ("outbound_.443_._.ended.test", NAMELESS, "NO_MATCH"),
        ("outbound_.443_._.ended.test", hello("ended.test"), "RULE_EXPIRED"),
        ("outbound_.443_._.*.wild.test", hello("wild.test"), "SNI_MISMATCH"),
        ("outbound_.443_._.*.wild.test", hello("a.other.test"), "SNI_MISMATCH"),
        ("outbound_.443_._.*.wild.test", NAMELESS, "SNI_MISSING"),
        ("outbound_.443_._.*.wild.test", hello("bad.wild.test"), "DENY_RULE"),
        (own, NAMELESS, "SNI_MISSING"),
        (own, FirstBytes::NoHello, "SNI_MISSING"),
        (own, hello("not canonical"), "SNI_MISSING"),
        ("outbound_.5432_._.db.test", FirstBytes::NoHello, "RULE_ALLOW"),
        ("outbound_.5432_._.db.test", NAMELESS, "RULE_ALLOW"),
        ("outbound_.5432_._.db.test", hello("db.test"), "RULE_ALLOW"),
        ("outbound_.5432_._.db.test", hello("bad.test"), "SNI_MISMATCH"),
        ("outbound_.5432_._.db.test", ech("db.test"), "SNI_MISSING"),
        ("outbound_.5432_._.db.test", FirstBytes::Unreadable, "SNI_MISSING"),
        ("outbound_.443_._.hidden.test", ech("hidden.test"), "RULE_ALLOW"),
        ("outbound_.443_._.hidden.test", hello("hidden.test"), "RULE_ALLOW"),
        ("outbound_.443_._.hidden.test", FirstBytes::NoHello, "SNI_MISSING"),
        ("outbound_.443_._.paths.test", hello("paths.test"), "NO_MATCH"),
        ("outbound_.443_._.aside.test", hello("aside.test"), "RULE_ALLOW"),
    ] {
        let decided = decide(POLICY, outer(name, first));
        assert_eq!(decided.split(' ').next(), Some(expected), "{name} {first:?}");
    }
}

#[test]
fn a_dry_run_lets_through_another_name_but_nothing_that_cannot_be_read() {
    let policy = POLICY.replacen(r#""name""#, r#""mode": "dry-run", "name""#, 1);
    let own = "egress.mesh.svc.cluster.local";
    for (name, first, expected) in [
        ("api.test", hello("bad.test"), "SNI_MISMATCH - api.test:443 own"),
        ("outbound_.443_._.*.wild.test", hello("api.test"), "SNI_MISMATCH - api.test:443 dynamic"),
        ("api.test", NAMELESS, "SNI_MISSING - api.test:443 dynamic"),
        ("api.test", FirstBytes::NoHello, "SNI_MISSING - api.test:443 dynamic"),
        ("other.test", hello("other.test"), "NO_MATCH - other.test:443 dynamic"),
    ] {
        assert_eq!(decide(&policy, outer(name, first)), expected, "{name} {first:?}");
        let policy = Policy::load(policy.as_bytes()).unwrap();
        let (arrival, mut scratch) = (Arrival::of_connection(Some(ID), outer(name, first)), Scratch::default());
        let evaluation = Authorizer::new(&policy).decide(&arrival, Timestamp::default(), &mut scratch);
        assert_eq!(evaluation.decision.outcome.as_str(), "would-deny", "{name}");
    }
    for (name, first) in [
        ("api.test", FirstBytes::Unreadable),
        (own, NAMELESS),
        (own, FirstBytes::NoHello),
        ("localhost", hello("localhost")),
    ] {
        let policy = Policy::load(policy.as_bytes()).unwrap();
        let (arrival, mut scratch) = (Arrival::of_connection(Some(ID), outer(name, first)), Scratch::default());
        let evaluation = Authorizer::new(&policy).decide(&arrival, Timestamp::default(), &mut scratch);
        assert_eq!(evaluation.decision.outcome.as_str(), "deny", "{name} {first:?}");
    }
}

#[test]
fn a_refusal_says_what_came_nearest() {
    let policy = Policy::load(POLICY.as_bytes()).unwrap();
    for (name, first, expected) in [
        ("api.test", NAMELESS, Some(("api", "hello"))),
        ("paths.test", hello("paths.test"), Some(("paths", "path"))),
        ("outbound_.99_._.api.test", NAMELESS, Some(("api", "port"))),
    ] {
        let arrival = Arrival::of_connection(Some(ID), outer(name, first));
        let near = Authorizer::new(&policy).nearest(&arrival, Timestamp::default(), &mut Scratch::default());
        assert_eq!(near.map(|Near { rule, failed }| (rule, failed.as_str())), expected, "{name}");
    }
}

#[test]
fn a_target_with_paths_among_many_is_found_where_it_sets_them_aside() {
    let target = |number: usize, over: &str| format!(r#"{{"hosts": ["many.test"], "paths": ["/{number}/**"]{over}}}"#);
    let rule = |number: usize, over: &str| {
        format!(r#"{{"id": "r{number}", "from": [{{"any": true}}], "to": [{}]}}"#, target(number, over))
    };
    let rules: Vec<String> =
        (0..40).map(|number| rule(number, if number == 33 { r#", "overTls": "host-only""# } else { "" })).collect();
    let policy = format!(r#"{{"version": 1, "name": "p", "rules": [{}]}}"#, rules.join(","));
    assert_eq!(decide(&policy, outer("many.test", hello("many.test"))), "RULE_ALLOW r33 many.test:443 own");
    let refused = policy.replace(r#", "overTls": "host-only""#, "");
    assert!(decide(&refused, outer("many.test", hello("many.test"))).starts_with("NO_MATCH"));
}

#[test]
fn an_admission_ends_with_the_first_target_that_it_needs() {
    let policy = r#"{"version": 1, "name": "p",
        "rules": [
            {"id": "own", "from": [{"any": true}], "to": [{"hosts": ["api.test"]}], "expiresAt": "2030-01-01T00:00:00Z"},
            {"id": "eu", "from": [{"any": true}], "to": [{"hosts": ["*.test"], "region": "eu"}], "expiresAt": "2029-01-01T00:00:00Z"}],
        "residency": [{"id": "stays", "from": [{"namespace": "a"}], "regions": ["eu"]}]}"#;
    let expires = |policy: &str| {
        let policy = Policy::load(policy.as_bytes()).unwrap();
        let (arrival, mut scratch) =
            (Arrival::of_connection(Some(ID), outer("api.test", hello("api.test"))), Scratch::default());
        Authorizer::new(&policy).decide(&arrival, Timestamp::default(), &mut scratch).expires
    };
    assert_eq!(expires(policy), Timestamp::parse("2029-01-01T00:00:00Z").unwrap());
    let alone = policy.replace(r#""namespace": "a""#, r#""namespace": "b""#);
    assert_eq!(expires(&alone), Timestamp::parse("2030-01-01T00:00:00Z").unwrap());
    assert_eq!(expires(&alone.replace(r#", "expiresAt": "2030-01-01T00:00:00Z""#, "")), Timestamp::NEVER);
}

#[test]
fn silence_is_admitted_where_the_server_speaks_first_alone() {
    let policy = |late: bool| {
        let rules = r#""rules": [
            {"id": "api", "from": [{"any": true}], "to": [{"hosts": ["api.test"], "clientHello": "optional", "ech": "allow"}]},
            {"id": "mail", "from": [{"any": true}], "to": [{"destination": "mail"}]},
            {"id": "paths", "from": [{"any": true}], "to": [{"destination": "shop", "paths": ["/a"]}]}]"#;
        let destinations = r#""destinations": {
            "mail": {"hosts": ["mail.test", "*.wild.test"], "ports": [25], "serverFirst": true},
            "shop": {"hosts": ["shop.test"], "serverFirst": true}, "plain": {"hosts": ["plain.test"], "serverFirst": false}}"#;
        let deny = r#""deny": [{"id": "no-bad", "to": [{"hosts": ["bad.wild.test"]}]}]"#;
        let parts = if late { [rules, destinations] } else { [destinations, rules] };
        format!(r#"{{"version": 1, "name": "p", {}, {}, {deny}}}"#, parts[0], parts[1])
    };
    for late in [false, true] {
        let policy = policy(late);
        for (name, first, expected) in [
            ("outbound_.25_._.mail.test", FirstBytes::Silent, "RULE_ALLOW mail mail.test:25 own"),
            ("outbound_.25_._.mail.test", FirstBytes::NoHello, "RULE_ALLOW mail mail.test:25 own"),
            ("outbound_.25_._.mail.test", NAMELESS, "RULE_ALLOW mail mail.test:25 own"),
            ("outbound_.25_._.mail.test", ech("mail.test"), "RULE_ALLOW mail mail.test:25 own"),
            ("outbound_.25_._.mail.test", hello("api.test"), "SNI_MISMATCH - mail.test:25 dynamic"),
            ("outbound_.25_._.mail.test", FirstBytes::Unreadable, "SNI_MISSING - mail.test:25 dynamic"),
            ("outbound_.26_._.mail.test", FirstBytes::Silent, "NO_MATCH - mail.test:26 dynamic"),
            ("outbound_.25_._.a.wild.test", FirstBytes::Silent, "RULE_ALLOW mail a.wild.test:25 dynamic"),
            ("outbound_.25_._.bad.wild.test", FirstBytes::Silent, "DENY_RULE no-bad bad.wild.test:25 dynamic"),
            ("outbound_.25_._.*.wild.test", FirstBytes::Silent, "SNI_MISSING - -:25 dynamic"),
            ("outbound_.443_._.api.test", FirstBytes::Silent, "SNI_MISSING - api.test:443 dynamic"),
            ("outbound_.443_._.shop.test", FirstBytes::Silent, "NO_MATCH - shop.test:443 dynamic"),
        ] {
            assert_eq!(decide(&policy, outer(name, first)), expected, "{name} {first:?} {late}");
        }
        let loaded = Policy::load(policy.as_bytes()).unwrap();
        let mut scratch = Scratch::default();
        let mut may = |name| {
            let arrival = Arrival::of_connection(None, outer(name, FirstBytes::Unseen));
            Authorizer::new(&loaded).may_be_silent(&arrival, &mut scratch)
        };
        for name in ["outbound_.25_._.mail.test", "outbound_.1_._.mail.test", "a.wild.test", "shop.test"] {
            assert!(may(name), "{name}");
        }
        for name in ["api.test", "plain.test", "outbound_.25_._.*.wild.test", "wild.test", "localhost", ""] {
            assert!(!may(name), "{name}");
        }
        assert!(loaded.knows_server_first());
    }
    assert!(!Policy::load(POLICY.as_bytes()).unwrap().knows_server_first());
}

#[test]
fn http_on_a_port_for_everything_is_decided_by_the_filter_for_http() {
    let policy = POLICY.replacen(r#""port": 443"#, r#""port": 443, "http": true"#, 1);
    for name in
        ["outbound_.443_._.api.test", "outbound_.443_._.bad.wild.test", "egress.mesh.svc.cluster.local", "", "redis"]
    {
        assert_eq!(decide(&policy, outer(name, FirstBytes::Http)), "RULE_ALLOW - -:- http", "{name}");
        // where the port is not for everything, it is a protocol like any other
        assert_eq!(decide(POLICY, outer(name, FirstBytes::Http)), decide(POLICY, outer(name, FirstBytes::NoHello)));
    }
}
