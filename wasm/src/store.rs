//! Envoy's shared data as the store of quotas.
//!
//! It is one map for the whole process, behind one mutex. Setting a value with the version 0 overwrites it blindly; with
//! any other it creates what is not there, and else fails where the version is another. So a value is created with a
//! version that none has, and what is not there cannot be mistaken for what is.

use tollgate::quota::{SharedStore, Unavailable, Version};

use crate::host::{ANY_VERSION, Failure, Host};

/// Creates a value, since none has this version: they are counted up from 1, and there are not that many.
pub(crate) const NO_VERSION: u32 = u32::MAX;

/// The store, and the first call that failed.
#[derive(Debug)]
pub(crate) struct Store<'h, H> {
    host: &'h mut H,
    failure: Option<Failure>,
}

impl<'h, H: Host> Store<'h, H> {
    pub(crate) fn new(host: &'h mut H) -> Store<'h, H> {
        Store { host, failure: None }
    }

    /// The first call that failed since the last time this was asked.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    fn note<T>(&mut self, result: Result<T, Failure>) -> Result<T, Unavailable> {
        result.map_err(|failure| {
            self.failure.get_or_insert(failure);
            Unavailable
        })
    }
}

impl<H: Host> SharedStore for Store<'_, H> {
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, Version)>, Unavailable> {
        let value = self.host.shared(key);
        match self.note(value)? {
            None => Ok(None),
            // To write it back would overwrite it blindly.
            Some((_, ANY_VERSION)) => Err(Unavailable),
            Some((value, version)) => Ok(Some((value, Version(version)))),
        }
    }

    fn replace(&mut self, key: &str, value: &[u8], seen: Option<Version>) -> Result<bool, Unavailable> {
        let written = self.host.set_shared(key, value, seen.map_or(NO_VERSION, |version| version.0));
        self.note(written)
    }

    fn monotonic(&mut self) -> Result<u64, Unavailable> {
        let time = self.host.monotonic();
        self.note(time)
    }

    fn wall(&mut self) -> Result<u64, Unavailable> {
        let time = self.host.now();
        self.note(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn a_value_that_somebody_else_created_meanwhile_is_not_overwritten() {
        let mut host = Fake::default();
        let mut store = Store::new(&mut host);
        assert_eq!(store.read("k"), Ok(None));
        assert_eq!(store.replace("k", b"first", None), Ok(true));
        assert_eq!(store.replace("k", b"second", None), Ok(false));
        let (value, version) = store.read("k").unwrap().unwrap();
        assert_eq!(value, b"first");
        assert_eq!(store.replace("k", b"third", Some(version)), Ok(true));
        assert_eq!(store.replace("k", b"fourth", Some(version)), Ok(false));
    }

    #[test]
    fn a_value_without_a_version_is_not_touched() {
        let mut host = Fake::default();
        host.shared.insert("k".to_owned(), (b"v".to_vec(), ANY_VERSION));
        assert_eq!(Store::new(&mut host).read("k"), Err(Unavailable));
    }

    #[test]
    fn the_first_failure_is_kept() {
        let mut host = Fake::default();
        host.failing.extend(["proxy_get_shared_data", "proxy_set_shared_data", "clock_time_get"]);
        let mut store = Store::new(&mut host);
        assert_eq!(store.monotonic(), Err(Unavailable));
        assert_eq!((store.read("k"), store.replace("k", b"", None)), (Err(Unavailable), Err(Unavailable)));
        assert_eq!(store.take_failure().map(|failure| failure.call), Some("clock_time_get"));
        assert_eq!(store.take_failure(), None);
    }
}
