//! `wasi:http/outgoing-handler`, for plugins whose language has a library for it: the same grants and the same way out.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::try_unfold;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::{Request, Response};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use super::client::Connections;
use super::courier::{Courier, Letter, Unsent};
use super::{OWN_HEADERS, checked};
use crate::ending::{End, Ending};

type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// What becomes of the requests that a plugin hands to `wasi:http`.
pub(crate) struct Outgoing {
    courier: Courier,
    ending: Ending,
}

impl Outgoing {
    pub(crate) fn new(courier: Courier, ending: Ending) -> Self {
        Self { courier, ending }
    }
}

impl WasiHttpHooks for Outgoing {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        // WASI itself compares the length of the content with the body.
        Arc::new(|name| name.as_str() != "content-length" && OWN_HEADERS.contains(&name.as_str()))
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let (courier, ending) = (self.courier.clone(), self.ending.clone());
        let turn = courier.turn().ok_or(Error::ConnectionLimitReached);
        Box::new(async move {
            let turn = turn?;
            let head =
                options.as_ref().and_then(|options| Some(options.connect_timeout? + options.first_byte_timeout?));
            let between = options.and_then(|options| options.between_bytes_timeout);
            let (made, method) = (Connections::default(), OnceLock::new());
            let sent = async {
                let letter = letter(request, courier.limits.body_bytes).await?;
                let _ = method.set(letter.method.clone());
                courier.send(letter, &made).await.map_err(Error::from)
            };
            let response = ending.within(head, sent).await.map_err(|end| {
                if end == End::Unbegun {
                    courier.refusals.late("it was sent");
                    return Error::ConnectionTimeout;
                }
                let unsent = method.get().and_then(|method| courier.gave_up(method, &made));
                if unsent.is_some() { Error::ConnectionTimeout } else { late(end) }
            })??;
            let bytes_max = courier.limits.body_bytes;
            Ok((incoming((response, turn), bytes_max, between, ending), Box::new(async { Ok(()) }) as _))
        })
    }
}

/// The whole request. Its body is taken in first, so that its length is known and bounded.
async fn letter(request: Request<WasiBody>, bytes_max: usize) -> Result<Letter, Error> {
    let (parts, mut body) = request.into_parts();
    let (method, url) =
        checked(parts.method.as_str(), &parts.uri.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
    let mut headers = parts.headers;
    OWN_HEADERS.iter().for_each(|name| drop(headers.remove(*name)));
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(Error::HttpRequestBodySize(Some(bytes_max as u64)));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Letter { method, url, headers, body: bytes.freeze() })
}

/// The response with a body that is bounded in size and time; it keeps its turn until it is read or dropped.
fn incoming(
    (response, turn): (reqwest::Response, OwnedSemaphorePermit),
    bytes_max: usize,
    between: Option<Duration>,
    ending: Ending,
) -> Response<WasiBody> {
    let (status, headers) = (response.status(), response.headers().clone());
    let frames = try_unfold((response, turn, bytes_max), move |(mut response, turn, left)| {
        let ending = ending.clone();
        async move {
            let chunk: Option<Bytes> = match ending.within(between, response.chunk()).await.map_err(late)? {
                Ok(chunk) => chunk,
                Err(_) => return Err(Error::HttpResponseIncomplete),
            };
            let Some(chunk) = chunk else { return Ok(None) };
            match left.checked_sub(chunk.len()) {
                Some(left) => Ok(Some((Frame::data(chunk), (response, turn, left)))),
                None => Err(Error::HttpResponseBodySize(Some(bytes_max as u64))),
            }
        }
    });
    let mut incoming = Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)));
    *incoming.status_mut() = status;
    *incoming.headers_mut() = headers;
    incoming
}

fn late(end: End) -> Error {
    match end {
        End::Deadline | End::Cancelled | End::Timeout | End::Unbegun => Error::HttpResponseTimeout,
    }
}

impl From<Unsent> for Error {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Denied(_) => Self::HttpRequestDenied,
            Unsent::TooLarge => Self::HttpResponseHeaderSectionSize(None),
            Unsent::Failed(why) => Self::InternalError(Some(why)),
        }
    }
}
