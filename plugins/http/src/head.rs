//! A request of which only the head of the answer is read: the small interface always reads the body too.

use std::time::Duration;

use runwright_sdk::{Error, Result, http};

/// Sends a GET request and reads the head of its answer.
#[cfg(not(target_os = "wasi"))]
pub(crate) fn get<'a>(
    url: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    timeout: Duration,
) -> Result<http::Response> {
    let start = http::Request::get(url).timeout(timeout);
    headers.fold(start, |request, (name, value)| request.header(name, value)).send().map_err(Error::from)
}

/// Sends a GET request and reads the head of its answer.
#[cfg(target_os = "wasi")]
pub(crate) fn get<'a>(
    url: &str,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    timeout: Duration,
) -> Result<http::Response> {
    use wasip2::http::outgoing_handler;
    use wasip2::http::types::{Fields, OutgoingBody, OutgoingRequest, RequestOptions, Scheme};

    let wrong = |what: &str| Error::invalid_input(format!("the request is not valid: {what}")).code("http.invalid");
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        _ => return Err(wrong("a URL begins with http:// or https:// and a host")),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let fields = Fields::new();
    for (name, value) in headers {
        let malformed = |_| wrong(&format!("the header {name:?} is malformed, or the engine's to set"));
        fields.append(name, value.as_bytes()).map_err(malformed)?;
    }
    let request = OutgoingRequest::new(fields);
    request.set_scheme(Some(&scheme)).map_err(|()| wrong("its scheme"))?;
    request.set_authority(Some(authority)).map_err(|()| wrong("its host"))?;
    request.set_path_with_query(Some(&path)).map_err(|()| wrong("its path"))?;
    let options = RequestOptions::new();
    let ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).clamp(2, u64::MAX / 2_000_000);
    // The engine counts both as one time.
    options.set_connect_timeout(Some(1_000_000)).map_err(|()| wrong("its time"))?;
    options.set_first_byte_timeout(Some((ms - 1) * 1_000_000)).map_err(|()| wrong("its time"))?;
    let body = request.body().map_err(|()| wrong("its body"))?;
    let coming = outgoing_handler::handle(request, Some(options)).map_err(failed)?;
    OutgoingBody::finish(body, None).map_err(failed)?;
    coming.subscribe().block();
    let lost = || Error::transient("no answer").code("http.failed");
    let response = coming.get().ok_or_else(lost)?.map_err(|()| lost())?.map_err(failed)?;
    let headers = response.headers().entries().into_iter();
    let headers = headers.map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned())).collect();
    Ok(http::Response { status: response.status(), headers, body: Vec::new() })
}

/// What `wasi:http` says, in the words of the small interface.
#[cfg(target_os = "wasi")]
fn failed(code: wasip2::http::types::ErrorCode) -> Error {
    use wasip2::http::types::ErrorCode;
    Error::from(match code {
        // The engine adds what was refused.
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            return Error::denied("the request is not granted").code("http.denied");
        }
        ErrorCode::HttpRequestUriInvalid => http::Error::Invalid("this is not a URL".to_owned()),
        ErrorCode::HttpResponseTimeout | ErrorCode::ConnectionTimeout => http::Error::TimedOut,
        ErrorCode::HttpResponseHeaderSectionSize(_) => http::Error::TooLarge,
        ErrorCode::InternalError(Some(why)) => http::Error::Failed(why),
        other => http::Error::Failed(other.to_string()),
    })
}
