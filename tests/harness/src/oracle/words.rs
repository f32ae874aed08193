//! The few names that policies and requests are made of, separated by spaces.

use fastrand::Rng;

pub const NAMESPACES: &str = "a b c";
pub const ACCOUNTS: &str = "x y z";
pub const REGIONS: &str = "eu us ap";
pub const METHODS: &str = "GET POST PUT CONNECT M-SEARCH A_1";
pub const HOSTS: &str =
    "a.test b.a.test c.b.a.test x.test h0.test h1.test h2.test h3.h.test localhost db.internal A.Test. _x.a.test";

pub const PORTS: &str = "443 443 80 8443";
/// Names of the gateway's own service.
pub const OWN: &str = "gateway.out.svc.cluster.local h3.h.test";

/// Path patterns of every class.
pub const PATTERNS: &str = "
    / /** /* /v1 /v1/ /v1/a /v1/A /v1/* /v1/** /v1/*/b /v1/*/** /*/b /a/**/b /**/b /**/b/** /v1/{a,b} /v1/{A,b*}/**
    /v1/a* /v1/*b/c /v1/a*b /**/a* /v1/a%3Bx /v1/a;x /v1/*;x /v1/{a;p,c}/b /caf%c3%a9 /caf%C3%A9/* /q%3Fz /q%3fz*
    /v1/%40u /v1/@u /x%2Ay /x%5By%7Bz /v1/100%25 /a/**/a/**/b /..a/b /%2A/** /%2A/* /x%7Ba,b%7D/**";

/// Path patterns for targets that take encoded slashes for data.
pub const ENCODED: &str = "/p%2Fq /p%2fq/** /@s%2F* /v1/*%2F* /v1/**";

/// Path patterns for targets that take keys: each begins with a literal segment.
pub const KEYS: &str = "
    /v1/** /v1/a/** /v1/* /v1/*/b /v1/**/b /v1/a*b /v1/a%2Fb /p%2Fq/** /v1 /v1/a /x%2Ay /a/**/b /v1/{a,b} /v1/*/** /b/** /a/**";

/// Moments as policies spell them, and in seconds since 1970.
pub const TIMES: [(&str, u64); 3] = [
    ("2020-02-29T12:00:00Z", 1_582_977_600),
    ("2026-01-01T00:00:00Z", 1_767_225_600),
    ("2100-03-01T00:00:00Z", 4_107_542_400),
];

pub fn all(words: &str) -> Vec<&str> {
    words.split_whitespace().collect()
}

pub fn pick<'w>(rng: &mut Rng, words: &'w str) -> &'w str {
    rng.choice(all(words)).unwrap()
}

pub fn one_in(rng: &mut Rng, n: usize) -> bool {
    rng.usize(0..n) == 0
}
