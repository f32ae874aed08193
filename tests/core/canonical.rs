//! Whatever bytes arrive are canonical, or refused; nothing panics, and what is canonical stays so.

use proptest::prelude::*;
use tollgate::request::{Authority, Form, Identity, Path};
use tollgate_tests::invariants;
use tollgate_tests::vectors;

#[test]
fn hosts_of_the_table_are_invalid_where_it_says_so() {
    for [pattern, authority, expected] in vectors::rows(vectors::HOSTS) {
        let valid = Authority::parse(authority.as_bytes(), &mut Vec::new()).is_some();
        match expected.as_str() {
            "host-invalid" => assert!(!valid, "{authority:?}"),
            "match" | "no" => assert!(valid, "{authority:?}"),
            "pattern-error" => {}
            other => panic!("{pattern:?} {authority:?}: what is `{other}`?"),
        }
    }
}

#[test]
fn paths_of_the_table_are_ambiguous_where_it_says_so() {
    for [path, expected, _] in vectors::rows(vectors::PATHS) {
        let canonical = Path::parse(path.as_bytes(), &mut Vec::new()).form == Form::Canonical;
        assert_eq!(canonical, expected == "canonical", "{path:?}");
    }
}

/// Arbitrary bytes, and texts of the alphabet that decides something.
fn bytes(alphabet: &'static str) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..80),
        9 => proptest::string::bytes_regex(alphabet).unwrap(),
    ]
}

const AUTHORITY: &str = r"\[?([aB0-]|[a-f1]|\.|_|::|0x|127|25[4-7]|ffff){0,8}\]?(:[0-9]{0,6})?";
const PATH: &str = r"/?([aB.;/?]|%[0-9a-fA-F]{2}|%25|%2[fF]|%2[eE]|%3[bB]|%5c|%[Cc]3%[Aa]9|%E2%82%AC|[%é~ ]){0,12}";
const HEADERS: &str = r"((:authority|:method|:path|[hH]ost|upgrade|Upgrade|x[-_]method|a):[ab/]{0,2}\n?){0,8}";
const IDENTITY: &str = r"(spiffe://)?(cluster\.local|td)?(/ns)?(/(a|B|sa|ns|\.|\.\.|_-|é)){0,4}/?";
const POLICY: &str = r#"\{"version":1,"name":"p"(,"(rules|deny|residency)":\[(\{"id":"a"(,"(from|to)":\[(\{"(any|hosts|cidrs|destination|paths)":(true|null|\["(\*\*|a\.b|::1|/\{a)"\])\})?\]){0,2}\})?\]){0,3}\}?"#;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_canonical_authority_is_one_when_read_again(bytes in bytes(AUTHORITY)) {
        invariants::authority(&bytes);
    }

    #[test]
    fn a_canonical_path_is_one_when_read_again(bytes in bytes(PATH)) {
        invariants::path(&bytes);
    }

    #[test]
    fn headers_are_read_alike_in_whatever_order_they_come(bytes in bytes(HEADERS)) {
        invariants::headers(&bytes);
    }

    #[test]
    fn the_parts_of_an_identity_are_the_identity(bytes in bytes(IDENTITY)) {
        invariants::identity(&bytes);
    }

    #[test]
    fn a_policy_is_accepted_or_refused_with_reasons(bytes in bytes(POLICY)) {
        invariants::policy(&bytes);
    }
}

#[test]
fn every_truncation_is_read_or_refused() {
    let authority = b"API_1.xn--bcher-kva.example.:65535".as_slice();
    let address = b"[2001:db8::ffff:169.254.169.254]:65535".as_slice();
    let path = b"/caf%c3%a9/%F0%9F%92%A9/a;b=..%3Bc/%25zz%2f.../x?q=1".as_slice();
    let identity = b"spiffe://cluster.local/ns/payments/sa/checkout".as_slice();
    assert!(Authority::parse(authority, &mut Vec::new()).is_some());
    assert!(Authority::parse(address, &mut Vec::new()).is_some());
    assert_eq!(Path::parse(path, &mut Vec::new()).form, Form::EncodedSlash);
    assert!(Identity::parse(identity).is_some());
    for whole in [authority, address, path, identity] {
        for end in 0..=whole.len() {
            let cut = &whole[..end];
            invariants::authority(cut);
            invariants::path(cut);
            invariants::identity(cut);
        }
    }
}
