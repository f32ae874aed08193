//! IPv4 addresses inside IPv6 ones. What closes must not be walked around by writing an address in a form that some
//! translator on the way takes apart again.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Every IPv4 address that an IPv6 address may stand for.
pub(super) fn embedded_v4(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let bits = address.to_bits();
    let [a, b, c, d, e, f, _, _] = address.segments();
    let low = word(bits, 0);
    // IPv4-compatible (RFC 4291 §2.5.5.1), IPv4-translated (RFC 2765 §2.1), NAT64 (RFC 6052 §2.1, RFC 8215)
    let last = match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, ..] => Some(low),
        _ => None,
    };
    // 6to4 (RFC 3056 §2)
    let six_to_four = (a == 0x2002).then(|| word(bits, 80));
    // Teredo (RFC 4380 §4): the server, and the client with all bits inverted
    let teredo = (a == 0x2001 && b == 0).then(|| [word(bits, 64), !low]);
    // ISATAP (RFC 5214 §6.1), with and without the universal bit
    let isatap = (matches!(e, 0 | 0x200) && f == 0x5efe).then_some(low);
    last.into_iter().chain(six_to_four).chain(teredo.into_iter().flatten()).chain(isatap).map(Ipv4Addr::from_bits)
}

/// 32 bits, `shift` bits from the right.
fn word(bits: u128, shift: u32) -> u32 {
    (bits.wrapping_shr(shift) & u128::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_address_is_found() {
        for (address, expected) in [
            ("::10.0.0.1", vec!["10.0.0.1"]),
            ("::ffff:0:10.0.0.1", vec!["10.0.0.1"]),
            ("64:ff9b::a9fe:a9fe", vec!["169.254.169.254"]),
            ("64:ff9b:1:ab:cd:ef:a9fe:a9fe", vec!["169.254.169.254"]),
            ("2002:a9fe:a9fe::1", vec!["169.254.169.254"]),
            ("2001:0:a00:1::5601:5601", vec!["10.0.0.1", "169.254.169.254"]),
            ("fe80::5efe:10.0.0.1", vec!["10.0.0.1"]),
            ("2001:db8::200:5efe:10.0.0.1", vec!["10.0.0.1"]),
            ("2001:4860:4860::8888", vec![]),
        ] {
            let address: Ipv6Addr = address.parse().unwrap();
            let found: Vec<String> = embedded_v4(address).map(|v4| v4.to_string()).collect();
            assert_eq!(found, expected, "{address}");
        }
    }
}
