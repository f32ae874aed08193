//! Hashing and comparing byte strings. 64-bit multiplications only and no calls of `memcmp`: wasm32 has no widening
//! multiplication, and compares byte by byte there.

const K: u64 = 0x9E37_79B9_7F4A_7C15;

/// One step: another word.
#[inline]
pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(23) ^ word).wrapping_mul(K)
}

/// The last step: every bit depends on every other.
#[inline]
pub(crate) fn finish(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    hash ^ (hash >> 32)
}

/// Hash of a byte string.
#[inline]
pub(crate) fn bytes(seed: u64, bytes: &[u8]) -> u64 {
    let mut hash = mix(seed, bytes.len() as u64);
    if let Some(last) = bytes.last_chunk::<8>() {
        for word in bytes.as_chunks::<8>().0 {
            hash = mix(hash, u64::from_le_bytes(*word));
        }
        hash = mix(hash, u64::from_le_bytes(*last));
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        hash = mix(hash, u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)));
    } else {
        hash = mix(hash, bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
    finish(hash)
}

/// Hash of two numbers.
#[inline]
pub(crate) fn pair(a: u32, b: u32) -> u64 {
    finish(mix(0x51_7C_C1, u64::from(a) << 32 | u64::from(b)))
}

/// The lower 32 bits of a hash, as tables keep them.
#[inline]
pub(crate) fn tag(hash: u64) -> u32 {
    (hash & 0xFFFF_FFFF) as u32
}

/// The slot of a tag in a table of any size. Keeps the order of tags, so a growing table is walked once, in order.
#[inline]
pub(crate) fn slot(tag: u32, slots: usize) -> usize {
    ((u64::from(tag).wrapping_mul(slots as u64)) >> 32) as usize
}

/// `a == b`, eight bytes at a time.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(x), Some(y)) => {
            u64::from_le_bytes(*x) == u64::from_le_bytes(*y)
                && a.as_chunks::<8>()
                    .0
                    .iter()
                    .zip(b.as_chunks::<8>().0)
                    .all(|(p, q)| u64::from_le_bytes(*p) == u64::from_le_bytes(*q))
        }
        _ => a.iter().zip(b).all(|(p, q)| p == q),
    }
}

/// `text.starts_with(prefix)`.
#[inline]
pub(crate) fn starts_with(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|head| same(head, prefix))
}
