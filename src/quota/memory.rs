//! A store of one thread, with clocks that are set: for the command, and for tests.

use super::bucket::Now;
use super::store::{SharedStore, Unavailable, Version};
use std::collections::HashMap;

/// A map that is shared with nobody.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    values: HashMap<String, (Vec<u8>, Version)>,
    versions: u32,
    /// The time of both clocks.
    pub now: Now,
}

impl Memory {
    /// Sets a value as a foreign writer would, whatever it was.
    pub fn overwrite(&mut self, key: &str, value: &[u8]) {
        self.versions = self.versions.wrapping_add(1);
        self.values.insert(key.to_owned(), (value.to_vec(), Version(self.versions)));
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

impl SharedStore for Memory {
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Unavailable> {
        Ok(self.values.get(key).cloned())
    }

    fn replace(&mut self, key: &str, value: &[u8], seen: Option<Version>) -> Result<bool, Unavailable> {
        let is_unchanged = self.values.get(key).map(|(_, version)| *version) == seen;
        if is_unchanged {
            self.overwrite(key, value);
        }
        Ok(is_unchanged)
    }

    fn monotonic(&mut self) -> Result<u64, Unavailable> {
        Ok(self.now.monotonic)
    }

    fn wall(&mut self) -> Result<u64, Unavailable> {
        Ok(self.now.wall)
    }
}
