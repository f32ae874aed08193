//! Checks of the fuzz targets. The property tests of the library call the same functions.

pub use tollgate_tests::invariants;

/// Headers that are read from the form in which they cross into the module are written in the same form.
pub fn pairs(bytes: &[u8]) {
    let Some(headers) = tollgate_wasm::pairs::read(bytes.to_vec()) else {
        return;
    };
    let read: Vec<(&[u8], &[u8])> = headers.iter().collect();
    let mut written = Vec::new();
    tollgate_wasm::pairs::write(&mut written, read.iter().copied()).unwrap();
    assert!(written == bytes || bytes.is_empty() && read.is_empty());
    assert_eq!(headers.size(), read.iter().map(|(name, value)| (name.len() + value.len()) as u64).sum::<u64>());
}
