//! `ignore LENGTH…` scans each of these texts from standard input into nothing, `load LENGTH…` loads each as a policy,
//! and gives up the one before only when the next is there, as the filter does. Prints a line for each: milliseconds,
//! and bytes of the VM's memory.

use std::io::{Error, Read, Result, stdin};
use std::time::Instant;

use serde::de::IgnoredAny;
use tollgate::policy::Policy;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let mut serving = None;
    for length in arguments {
        let text = read(length.parse().map_err(Error::other)?)?;
        let started = Instant::now();
        let accepted = match mode.as_str() {
            "ignore" => serde_json::from_slice::<IgnoredAny>(&text).is_ok(),
            "load" => {
                serving = Policy::load(&text).ok();
                serving.is_some()
            }
            _ => false,
        };
        let elapsed = started.elapsed();
        if !accepted {
            return Err(Error::other(format!("`{mode}` of {length} bytes failed")));
        }
        println!("{} {}", elapsed.as_secs_f64() * 1e3, memory());
    }
    drop(serving);
    Ok(())
}

/// Reads so many bytes of the standard input, into memory of just that size.
fn read(length: usize) -> Result<Vec<u8>> {
    let mut text = vec![0; length];
    stdin().read_exact(&mut text)?;
    Ok(text)
}

#[cfg(target_family = "wasm")]
fn memory() -> usize {
    core::arch::wasm32::memory_size::<0>().saturating_mul(65_536)
}

/// Only a VM can tell.
#[cfg(not(target_family = "wasm"))]
fn memory() -> usize {
    0
}
