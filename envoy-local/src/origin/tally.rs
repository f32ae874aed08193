//! Requests that are counted rather than kept, by thousands and by megabytes: `/tally/NAME?ORDERS`.
//!
//! Orders say what the origin does, `&` between them:
//!
//! | order | the origin |
//! |---|---|
//! | `wait=MS` | answers after so many milliseconds |
//! | `hold` | does not answer until [`Origin::release`](super::Origin::release), nor reads the body |
//! | `send=N` | answers with N bytes; `chunked` without telling their number beforehand |
//! | `trailers=N` | ends its answer with a trailer of N bytes |
//! | `break=N` | breaks its answer off after N bytes |
//! | `echo` | answers at once and sends back whatever comes, as it comes |

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, Uri};
use tokio::sync::{broadcast, mpsc};

use super::received::lock;
use super::tap;

/// Counts under one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests.
    pub requests: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Requests without an answer yet.
    pub in_flight: u64,
    /// The most of them at once.
    pub most: u64,
}

/// All names.
#[derive(Debug)]
pub(super) struct Tallies {
    counted: Mutex<BTreeMap<String, Tally>>,
    released: broadcast::Sender<String>,
}

impl Default for Tallies {
    fn default() -> Tallies {
        Tallies { counted: Mutex::default(), released: broadcast::Sender::new(64) }
    }
}

impl Tallies {
    pub(super) fn get(&self, name: &str) -> Tally {
        lock(&self.counted).get(name).copied().unwrap_or_default()
    }

    pub(super) fn release(&self, name: &str) {
        // There may be none.
        let _ = self.released.send(name.to_owned());
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Tally)) {
        change(lock(&self.counted).entry(name.to_owned()).or_default());
    }
}

/// Instructions to the origin, in the query of a request for `/tally/NAME`.
pub(super) struct Orders {
    name: String,
    query: String,
}

const TALLY: &str = "/tally/";
const PIECE: u64 = 16_384;

impl Orders {
    /// Reads the instructions of a request that is to be counted.
    pub(super) fn of(uri: &Uri) -> Option<Orders> {
        let name = uri.path().strip_prefix(TALLY)?.to_owned();
        Some(Orders { name, query: uri.query().unwrap_or_default().to_owned() })
    }

    fn has(&self, order: &str) -> bool {
        self.query.split('&').any(|given| given == order)
    }

    fn number(&self, order: &str) -> Option<u64> {
        self.query.split('&').find_map(|given| given.strip_prefix(order)?.strip_prefix('=')?.parse().ok())
    }

    /// Counts a request and answers it.
    pub(super) async fn carry_out(
        self,
        mut body: Incoming,
        tallies: Arc<Tallies>,
        tapped: tap::Bytes,
    ) -> Response<Flow> {
        let mut released = tallies.released.subscribe();
        let in_flight = InFlight::new(&tallies, &self.name);
        if self.has("hold") {
            while released.recv().await.is_ok_and(|name| name != self.name) {}
        }
        let (frames, flow) = mpsc::channel(4);
        if self.has("echo") {
            tokio::spawn(async move {
                while let Some(Ok(frame)) = body.frame().await {
                    in_flight.received(&frame);
                    drop(tapped.take());
                    if frames.send(Ok(frame)).await.is_err() {
                        return;
                    }
                }
            });
            return Response::new(Flow { frames: flow, length: None });
        }
        while let Some(Ok(frame)) = body.frame().await {
            in_flight.received(&frame);
            drop(tapped.take());
        }
        drop(tapped.take());
        if let Some(milliseconds) = self.number("wait") {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
        let (whole, part, trailers) = (self.number("send"), self.number("break"), self.number("trailers"));
        let is_open = self.has("chunked") || part.is_some() || trailers.is_some();
        let length = (!is_open).then(|| whole.unwrap_or_default());
        // Before the caller can know that it is answered.
        drop(in_flight);
        tokio::spawn(send(frames, part.or(whole).unwrap_or_default(), part.is_some(), trailers));
        Response::new(Flow { frames: flow, length })
    }
}

async fn send(frames: mpsc::Sender<Piece>, mut left: u64, breaks: bool, trailers: Option<u64>) {
    while left > 0 {
        let size = left.min(PIECE);
        left = left.saturating_sub(size);
        let piece = vec![b'x'; usize::try_from(size).unwrap_or_default()];
        if frames.send(Ok(Frame::data(piece.into()))).await.is_err() {
            return;
        }
    }
    if breaks {
        // What was sent before has to be on its way.
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(frames.send(Err(io::ErrorKind::ConnectionReset.into())).await);
    } else if let Some(size) = trailers {
        let value = "t".repeat(usize::try_from(size).unwrap_or_default());
        let mut trailers = HeaderMap::new();
        trailers.extend(HeaderValue::from_str(&value).ok().map(|value| (HeaderName::from_static("x-end"), value)));
        drop(frames.send(Ok(Frame::trailers(trailers))).await);
    }
}

type Piece = io::Result<Frame<Bytes>>;

/// An answer's body as it is made.
pub(super) struct Flow {
    frames: mpsc::Receiver<Piece>,
    length: Option<u64>,
}

impl Body for Flow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.frames.poll_recv(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// A request without an answer yet.
struct InFlight {
    tallies: Arc<Tallies>,
    name: String,
}

impl InFlight {
    fn new(tallies: &Arc<Tallies>, name: &str) -> InFlight {
        tallies.change(name, |tally| {
            tally.requests = tally.requests.saturating_add(1);
            tally.in_flight = tally.in_flight.saturating_add(1);
            tally.most = tally.most.max(tally.in_flight);
        });
        InFlight { tallies: Arc::clone(tallies), name: name.to_owned() }
    }

    fn received(&self, frame: &Frame<Bytes>) {
        let size = frame.data_ref().map_or(0, Bytes::len);
        self.tallies.change(&self.name, |tally| {
            tally.bytes = tally.bytes.saturating_add(u64::try_from(size).unwrap_or_default());
        });
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.tallies.change(&self.name, |tally| tally.in_flight = tally.in_flight.saturating_sub(1));
    }
}
