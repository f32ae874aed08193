//! A short run of every target without a fuzzer: the seeds, and seeds with a few bytes changed at random.

use fastrand::Rng;
use std::path::Path;
use tollgate_fuzz::invariants;

fn run(target: fn(&[u8]), name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let files = std::fs::read_dir(&folder).unwrap();
    let mut seeds: Vec<_> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    seeds.sort();
    let rounds = std::env::var("TOLLGATE_SMOKE_ROUNDS").map_or(20_000, |rounds| rounds.parse().unwrap());
    let mut rng = Rng::with_seed(1);
    seeds.iter().for_each(|seed| target(seed));
    for round in 0..rounds {
        let mut bytes = rng.choice(&seeds).unwrap().clone();
        for _ in 0..rng.usize(1..5) {
            mutate(&mut bytes, &seeds, &mut rng);
        }
        if std::panic::catch_unwind(|| target(&bytes)).is_err() {
            panic!("round {round}: {}", bytes.escape_ascii());
        }
    }
}

/// Changes, removes or inserts a byte, repeats a piece, or goes on as another seed does.
fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut Rng) {
    let at = rng.usize(0..=bytes.len());
    let end = rng.usize(at..=bytes.len().min(at + 8));
    match rng.u8(0..6) {
        0 if at < bytes.len() => bytes[at] = rng.u8(..),
        1 => drop(bytes.drain(at..end)),
        2 => bytes.insert(at, *rng.choice(br#".:/;%?[]-_@*{}",0129aAfFxX\#"#).unwrap()),
        3 => bytes.insert(at, rng.u8(..)),
        4 => {
            let piece = bytes[at..end].repeat(rng.usize(1..100));
            bytes.splice(at..at, piece);
        }
        _ => {
            let other = rng.choice(seeds).unwrap();
            bytes.truncate(at);
            bytes.extend_from_slice(&other[rng.usize(0..=other.len())..]);
        }
    }
}

#[test]
fn authority() {
    run(invariants::authority, "authority");
}

#[test]
fn headers() {
    run(invariants::headers, "headers");
}

#[test]
fn hello() {
    run(invariants::hello, "hello");
}

#[test]
fn identity() {
    run(invariants::identity, "identity");
}

#[test]
fn page() {
    run(invariants::page, "page");
}

#[test]
fn pairs() {
    run(tollgate_fuzz::pairs, "pairs");
}

#[test]
fn path() {
    run(invariants::path, "path");
}

#[test]
fn policy() {
    run(invariants::policy, "policy");
}
