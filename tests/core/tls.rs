//! ClientHellos in every form and in every piece.

use fastrand::Rng;
use proptest::prelude::*;
use tollgate::request::{ClientHello, Crossing, FirstBytes, HelloReader, MOST_HELD, Progress, Watch};
use tollgate_tests::hello::{Hello, message, record, records, server_hello};
use tollgate_tests::invariants;

/// The verdict on bytes that come in pieces of these lengths, and then no more; and how many of them were read.
fn read(bytes: &[u8], pieces: &[usize]) -> (String, Progress, usize) {
    let (mut reader, mut rest, mut read) = (HelloReader::default(), bytes, 0);
    for length in pieces.iter().copied().chain(std::iter::repeat(usize::MAX)) {
        if rest.is_empty() || reader.progress() != Progress::Incomplete {
            break;
        }
        let (piece, behind) = rest.split_at(length.max(1).min(rest.len()));
        let step = reader.read(piece);
        assert!(step == piece.len() || reader.progress() != Progress::Incomplete);
        (rest, read) = (behind, read + step);
    }
    (format!("{:?}", reader.first_bytes()), reader.progress(), read)
}

fn whole(bytes: &[u8]) -> String {
    read(bytes, &[]).0
}

fn named(server_name: Option<&str>, ech: bool) -> String {
    format!("{:?}", FirstBytes::Hello(ClientHello { server_name: server_name.map(str::as_bytes), ech }))
}

#[test]
fn a_hello_says_which_server_it_means_and_whether_it_hides_another() {
    assert_eq!(whole(&Hello::of("a.test").record()), named(Some("a.test"), false));
    assert_eq!(whole(&Hello::default().record()), named(None, false));
    assert_eq!(whole(&Hello { ech: true, ..Hello::of("a.test") }.record()), named(Some("a.test"), true));
    let plain = message(1, &[&[3, 1][..], &[7; 32], &[0], &[0, 2, 0, 5], &[1, 0]].concat());
    assert_eq!(whole(&record(22, &plain)), named(None, false), "without extensions");
}

#[test]
fn what_is_no_tls_is_told_by_its_first_bytes() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"SSH-2.0-x",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"\x80\x2e\x01\0\x02",
        b"\x16\x02\x01",
        b"\x17\x03\x03",
        b"\x16\x03\x00\x00\x10\x02\x00",
    ] {
        assert_eq!(read(bytes, &[1; 8]).1, Progress::NoHello, "{bytes:?}");
        assert_eq!(whole(bytes), "NoHello", "{bytes:?}");
    }
}

#[test]
fn what_begins_as_tls_and_is_no_hello_of_one_server_cannot_be_read() {
    let hello = Hello::of("a.test");
    let mut short = hello.message();
    let length = short.len() - 4;
    short[length] = 9;
    let names = |names: &[&[u8]]| Hello { server_names: vec![names.to_vec()], ..Hello::default() }.record();
    for (why, bytes) in [
        ("two names", names(&[b"a.test", b"b.test"])),
        ("no name in the list", names(&[])),
        ("an empty name", names(&[b""])),
        ("two lists", Hello { server_names: vec![vec![b"a.test"]; 2], ..Hello::default() }.record()),
        ("an empty record", [&[22, 3, 1, 0, 0][..], &hello.record()].concat()),
        ("a record that is too long", [&[22, 3, 1, 0x40, 1][..], &[1; 99]].concat()),
        ("another record within", [&records(&hello.message(), 40)[..45], &record(20, &[1])].concat()),
        ("a record of another version within", [&records(&hello.message(), 40)[..45], &[22, 2, 1, 0, 9]].concat()),
        ("something behind it in its record", record(22, &[&hello.message()[..], &[0]].concat())),
        ("a second message in its record", record(22, &hello.message().repeat(2))),
        ("an extension that is too long", record(22, &short)),
        ("a hello that is too long", records(&Hello { padding: MOST_HELD, ..hello.clone() }.message(), 16_000)),
        ("too many records", records(&Hello { padding: 3_000, ..hello.clone() }.message(), 1)),
        ("the half of one", hello.record()[..60].to_vec()),
        ("one byte", vec![22]),
    ] {
        assert_eq!(whole(&bytes), "Unreadable", "{why}");
    }
}

#[test]
fn nothing_behind_a_hello_is_read() {
    let hello = Hello::of("a.test").record();
    let (_, progress, read) = read(&[&hello[..], &record(23, &[1; 50])].concat(), &[]);
    assert_eq!((progress, read), (Progress::Complete, hello.len()));
}

/// Bytes that a caller may begin with.
fn beginnings() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![Just("a.test"), Just("longer.example.com"), Just("")];
    let hello = (proptest::collection::vec(name, 0..3), any::<bool>(), 0..3000_usize, 1..400_usize);
    let hello = hello.prop_map(|(names, ech, padding, longest)| {
        let server_names = names.iter().map(|name| vec![name.as_bytes()]).collect();
        records(&Hello { server_names, ech, padding }.message(), longest)
    });
    let damage = (any::<prop::sample::Index>(), any::<u8>(), any::<bool>());
    (hello, damage, proptest::collection::vec(any::<u8>(), 0..40)).prop_map(
        |(mut bytes, (place, byte, is_damaged), tail)| {
            if is_damaged {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            [bytes, tail].concat()
        },
    )
}

proptest! {
    #[test]
    fn however_bytes_come_the_verdict_is_the_same(bytes in beginnings(), pieces in proptest::collection::vec(1..200_usize, 0..40)) {
        let (verdict, progress, count) = read(&bytes, &pieces);
        let (expected, known, whole) = read(&bytes, &[]);
        prop_assert_eq!((&verdict, progress), (&expected, known));
        if progress == Progress::Complete {
            prop_assert_eq!(count, whole);
        }
    }

    #[test]
    fn however_a_hello_is_cut_into_records_it_says_the_same(longest in 1..600_usize, pieces in proptest::collection::vec(1..50_usize, 0..40), ech in any::<bool>()) {
        let bytes = records(&Hello { ech, ..Hello::of("a.test") }.message(), longest);
        prop_assert_eq!(read(&bytes, &pieces).0, named(Some("a.test"), ech));
    }

    #[test]
    fn however_what_follows_comes_it_is_closed_or_not(
        kinds in proptest::collection::vec(0..6_u8, 1..6),
        pieces in proptest::collection::vec(1..200_usize, 0..40),
        longest in 1..300_usize,
    ) {
        let bytes: Vec<u8> = kinds.iter().flat_map(|kind| following(*kind, longest)).collect();
        prop_assert_eq!(watch(&bytes, &pieces), watch(&bytes, &[]));
    }
}

fn following(kind: u8, longest: usize) -> Vec<u8> {
    match kind {
        0 => record(20, &[1]),
        1 => record(23, &vec![5; longest]),
        2 => records(&Hello::of("a.test").message(), longest),
        3 => records(&Hello::of("b.test").message(), longest),
        4 => record(21, &[1, 0]),
        _ => b"GET / ".to_vec(),
    }
}

/// The fate of what a client sends behind its first hello, in pieces.
fn watch(bytes: &[u8], pieces: &[usize]) -> Crossing {
    let mut watch = first("a.test");
    let (mut rest, mut last) = (bytes, Crossing::Pass);
    for length in pieces.iter().copied().chain(std::iter::repeat(usize::MAX)) {
        if rest.is_empty() || last == Crossing::Close {
            break;
        }
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        (last, rest) = (watch.client(piece), behind);
    }
    last
}

fn first(server: &str) -> Watch {
    Watch::new(&ClientHello { server_name: Some(server.as_bytes()), ech: false })
}

#[test]
fn a_second_hello_has_to_say_what_the_first_one_said() {
    let retry = records(&server_hello(true), 7);
    let ech = Hello { ech: true, ..Hello::of("a.test") };
    for (second, expected) in [
        (Hello::of("a.test").record(), Crossing::Pass),
        (records(&Hello::of("a.test").message(), 3), Crossing::Pass),
        (Hello::of("b.test").record(), Crossing::Close),
        (Hello::default().record(), Crossing::Close),
        (ech.record(), Crossing::Close),
        (record(22, &[&Hello::of("a.test").message()[..], &[0]].concat()), Crossing::Close),
        (record(22, &message(16, &[0; 40])), Crossing::Close),
        (Hello::of("a.test").record()[..50].to_vec(), Crossing::Hold),
    ] {
        for is_asked_before in [true, false] {
            let mut watch = first("a.test");
            if is_asked_before {
                watch.server(&retry);
            }
            assert_eq!(watch.client(&record(20, &[1])), Crossing::Pass);
            assert_eq!(watch.client(&second), expected, "{second:?}");
            if expected == Crossing::Pass {
                if !is_asked_before {
                    assert!(!watch.is_over());
                    watch.server(&retry);
                }
                assert!(watch.is_over());
            }
        }
    }
}

#[test]
fn of_what_is_encrypted_nothing_is_held_and_what_is_no_record_is_closed() {
    let mut watch = first("a.test");
    let early = [record(20, &[1]), record(23, &[9; 16_400]), record(21, &[1, 0])].concat();
    assert_eq!(watch.client(&early), Crossing::Pass);
    assert_eq!(watch.client(b"GET"), Crossing::Close);
}

#[test]
fn the_destinations_own_hello_ends_the_watch_and_so_does_what_is_no_tls() {
    for answer in [records(&server_hello(false), 11), b"HTTP/1.1 400 Bad Request\r\n".to_vec(), record(23, &[1; 9])] {
        let mut watch = first("a.test");
        watch.server(&record(21, &[1, 112]));
        watch.server(&record(20, &[1]));
        for byte in &answer {
            watch.server(&[*byte]);
        }
        assert!(watch.is_over());
        assert_eq!(watch.client(&record(22, &message(16, &[0; 40]))), Crossing::Pass);
    }
}

#[test]
fn an_answer_that_is_not_whole_ends_nothing() {
    let mut watch = first("a.test");
    watch.server(&records(&server_hello(false), 11)[..40]);
    assert!(!watch.is_over());
    assert_eq!(watch.client(&Hello::of("b.test").record()), Crossing::Close);
}

#[test]
fn first_bytes_say_the_same_however_they_come_whatever_they_are() {
    let hello = Hello::of("a.test");
    let beginnings = [
        hello.record(),
        records(&hello.message(), 5),
        b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0".to_vec(),
        b"UPDATEREDIRECTREF /".to_vec(),
        server_hello(true),
    ];
    for seed in 0..2_000 {
        let rng = &mut Rng::with_seed(seed);
        let mut bytes = rng.choice(&beginnings).cloned().unwrap_or_default();
        for _ in 0..rng.usize(..3) {
            let place = rng.usize(..bytes.len());
            bytes[place] = rng.u8(..);
        }
        bytes.truncate(rng.usize(..=bytes.len()));
        invariants::hello(&bytes);
    }
}
