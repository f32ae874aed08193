//! `packed`: a policy's larger part, compressed.

use super::decode::{Shape, Text};
use super::finding::{Findings, code};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// Most bytes that a packed policy may unfold to.
const MOST: usize = 64 << 20;

/// The text that was packed.
#[derive(Debug)]
pub(super) struct Packed(pub(super) Vec<u8>);

impl<'de> Shape<'de> for Packed {
    const EXPECTED: &'static str = "a string `deflate;BASE64`";

    fn text(text: Text<'de>, findings: &mut Findings<'de>) -> Option<Self> {
        match unpack(&text) {
            Ok(text) => Some(Packed(text)),
            Err(why) => findings.error(code::PACKED, why, "pack the policy again".to_owned()),
        }
    }
}

/// The text that a value of `packed` stands for, or why it stands for none.
pub fn unpack(text: &str) -> Result<Vec<u8>, String> {
    let base64 = text.strip_prefix("deflate;").ok_or("`packed` does not begin with `deflate;`")?;
    let deflated = STANDARD.decode(base64).map_err(|_| "`packed` is no base64")?;
    decompress_to_vec_with_limit(&deflated, MOST).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => format!("`packed` unfolds to more than {} MiB", MOST >> 20),
        _ => "`packed` is no DEFLATE stream".to_owned(),
    })
}
