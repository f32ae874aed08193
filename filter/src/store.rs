//! Data that the host shares among threads, as the store of quotas.

use tollgate::quota::{SharedStore, Unavailable, Version};

use crate::host::{Expected, Failure, Host};

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
        self.note(value)
    }

    fn replace(&mut self, key: &str, value: &[u8], seen: Option<Version>) -> Result<bool, Unavailable> {
        let written = self.host.set_shared(key, value, seen.map_or(Expected::Absent, Expected::Version));
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
    use crate::host::Call;

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
    fn the_first_failure_is_kept() {
        let mut host = Fake::default();
        host.failing.extend([Call::ReadShared, Call::WriteShared, Call::MonotonicClock]);
        let mut store = Store::new(&mut host);
        assert_eq!(store.monotonic(), Err(Unavailable));
        assert_eq!((store.read("k"), store.replace("k", b"", None)), (Err(Unavailable), Err(Unavailable)));
        assert_eq!(store.take_failure().map(|failure| failure.call), Some(Call::MonotonicClock));
        assert_eq!(store.take_failure(), None);
    }
}
