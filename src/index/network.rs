//! A network of addresses.

/// A network: the address with all host bits zero, and the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    /// Prefix length 0–32.
    V4(u32, u8),
    /// Prefix length 0–128; never inside `::ffff:0:0/96`, which is read as IPv4.
    V6(u128, u8),
}

/// The leading `bits` bits set; all of them for 32 and above.
pub(crate) fn mask_v4(bits: u8) -> u32 {
    u32::MAX.checked_shr(u32::from(bits)).map_or(u32::MAX, |host| !host)
}

/// The leading `bits` bits set; all of them for 128 and above.
pub(crate) fn mask_v6(bits: u8) -> u128 {
    u128::MAX.checked_shr(u32::from(bits)).map_or(u128::MAX, |host| !host)
}
