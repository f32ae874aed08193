//! Requests to them.

use super::{COMMON_ACCOUNT, COMMON_HOST, Request, Shape, account, host, network, path, starred};

/// Requests go to rules all over the policy. Every second one is allowed; the others miss by one part, each by
/// another in turn.
pub(super) fn requests(shape: Shape, n: usize, count: usize) -> Vec<Request> {
    let mut random = SplitMix(0x7011_6a7e);
    (0..count)
        .map(|k| {
            let i = random.below(n);
            let mut request = allowed(shape, n, i, k);
            if k % 2 == 1 {
                refuse(shape, n, i, k, &mut request);
                request.allowed = false;
            }
            request
        })
        .collect()
}

/// A request that rule `i` admits; `k` makes it differ from every other.
pub(super) fn allowed(shape: Shape, n: usize, i: usize, k: usize) -> Request {
    let other = (i * 7 + k) % n;
    let tail = format!("{}/items/{k:05}", path(i));
    let (account, authority, path) = match shape {
        Shape::A => (account(i), host(i), tail),
        Shape::B => (account(other), host(i), tail),
        Shape::C => (COMMON_ACCOUNT.to_owned(), host(i), tail),
        Shape::D => (account(i), COMMON_HOST.to_owned(), tail),
        Shape::E => {
            let path = match i % 3 {
                0 => tail,
                // A query, since an exact path leaves nothing else to differ by.
                1 => format!("{}/orders?page={k}", path(i)),
                _ => format!("{}/{k:05}/status", path(i)),
            };
            (COMMON_ACCOUNT.to_owned(), COMMON_HOST.to_owned(), path)
        }
        Shape::F if k.is_multiple_of(4) => (account(i), COMMON_HOST.to_owned(), tail),
        Shape::F => (account(i), host(i), tail),
        Shape::H => (account(i), starred(i, &format!("zone-{k:05}")), tail),
        // A host that no entry closes, or an address that none does.
        Shape::G if k.is_multiple_of(4) => (account(i), format!("public-{k:05}.example.org"), tail),
        Shape::G => (account(i), format!("198.{}.7.{}", 20 + k / 200, k % 200), tail),
    };
    Request { account, authority, path, allowed: true }
}

fn refuse(shape: Shape, n: usize, i: usize, k: usize, request: &mut Request) {
    if shape == Shape::G {
        request.authority = if i.is_multiple_of(2) { format!("{}.{}", network(i), k % 256) } else { host(i) };
        return;
    }
    match k / 2 % 3 {
        0 => request.account = "stranger/unknown".to_owned(),
        1 => request.authority = format!("unknown-{k:05}.example.com"),
        _ => match shape {
            Shape::A => request.path = format!("{}x/{k:05}", path(i)),
            Shape::E => request.path = format!("{}/invoices/{k:05}/x/y", path(i + n)),
            // A name below one that is known.
            _ => request.authority = format!("x{k}.{}", request.authority),
        },
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        usize::try_from(z % n as u64).unwrap_or_default()
    }
}
