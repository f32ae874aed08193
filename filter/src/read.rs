//! A request as it was read, before anything is decided.

use tollgate::decision::Reason;
use tollgate::policy::Policy;
use tollgate::request::Arrival;

use crate::attributes::Attributes;
use crate::headers::Headers;
use crate::host::{Failure, Host};

/// Headers and attributes of a request; it owns them, and lends them to its decision.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) headers: Headers,
    /// The error is the reason for which the request is refused: something that the policy needs could not be read.
    pub(crate) attributes: Result<Attributes, (Reason, Failure)>,
}

impl Read {
    /// Reads the attributes that the policy needs besides the headers.
    pub(crate) fn new(host: &mut impl Host, headers: Result<Headers, Failure>, policy: &Policy) -> Read {
        match headers {
            Ok(headers) => Read { headers, attributes: Attributes::read(host, policy) },
            Err(failure) => Read { headers: Headers::default(), attributes: Err((Reason::HostInvalid, failure)) },
        }
    }

    /// The request as it arrived.
    pub(crate) fn arrival(&self) -> Arrival<'_> {
        let mut arrival = Arrival::from_headers(self.headers.iter());
        if let Ok(attributes) = &self.attributes {
            attributes.complete(&mut arrival);
        }
        arrival
    }

    /// Tells whether the cluster was judged.
    pub(crate) fn is_routed(&self) -> bool {
        self.attributes.as_ref().is_ok_and(|attributes| attributes.is_routed)
    }
}
