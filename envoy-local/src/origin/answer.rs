//! Answers of an origin, which is as hostile as an external server may be.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, LOCATION, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::received::{Received, Records, Shared, fields, lock};
use super::tally::{Flow, Orders, Tallies};
use super::tap;

/// The header by which a denial is told apart, and which origins forge on every answer.
pub const FORGED: (&str, &str) = ("x-egress-denied", "FORGED_BY_ORIGIN");

/// `/redirect-to/HOST/…` answers with a redirect to `https://HOST/…`.
const REDIRECT: &str = "/redirect-to/";

pub(super) async fn answer(
    mut request: Request<Incoming>,
    records: Arc<Records>,
    tallies: Arc<Tallies>,
    bytes: tap::Bytes,
) -> Result<Response<Either<Full<Bytes>, Flow>>, Infallible> {
    if let Some(orders) = Orders::of(request.uri()) {
        return Ok(orders.carry_out(request.into_body(), tallies, bytes).await.map(Either::Right));
    }
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, mut body) = request.into_parts();
    let record = records.add(Received::new(&parts, bytes.take()));
    let mut response = Response::new(Either::Left(Full::default()));
    response.headers_mut().insert(FORGED.0, hyper::header::HeaderValue::from_static(FORGED.1));

    if parts.method == Method::CONNECT {
        tokio::spawn(echo(upgrade, record));
        // A 200 accepts an extended CONNECT as well as a plain one (RFC 8441 §5).
        return Ok(response);
    }
    if let Some(protocol) = parts.headers.get(UPGRADE) {
        tokio::spawn(echo(upgrade, record));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(UPGRADE, protocol.clone());
        response.headers_mut().insert(CONNECTION, hyper::header::HeaderValue::from_static("upgrade"));
        return Ok(response);
    }
    while let Some(Ok(frame)) = body.frame().await {
        match frame.into_data() {
            Ok(data) => lock(&record).body.extend_from_slice(&data),
            Err(frame) => lock(&record).trailers.extend(frame.trailers_ref().map(fields).unwrap_or_default()),
        }
    }
    // The body's bytes belong to this request, not to the next one's head.
    drop(bytes.take());
    if let Some(target) = parts.uri.path().strip_prefix(REDIRECT)
        && let Ok(location) = format!("https://{target}").parse()
    {
        *response.status_mut() = StatusCode::FOUND;
        response.headers_mut().insert(LOCATION, location);
        return Ok(response);
    }
    let received = lock(&record);
    let text = format!("received {} {}{}\n", received.method, received.authority, received.path);
    *response.body_mut() = Either::Left(Full::from(text));
    Ok(response)
}

/// Records what comes through the tunnel, and sends it back.
async fn echo(upgrade: OnUpgrade, record: Shared) {
    let Ok(stream) = upgrade.await else { return };
    let mut stream = TokioIo::new(stream);
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let data = buffer.get(..read).unwrap_or_default();
        lock(&record).tunnel.extend_from_slice(data);
        if stream.write_all(data).await.is_err() {
            return;
        }
    }
}
