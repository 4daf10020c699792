//! What every request passes: its name, keys, origins, the kind of its body, and a line in the log.

use super::generate::RequestId;
use super::host;
use crate::app::App;
use crate::error::{ApiError, Result};
use crate::log;
use crate::net::WrongHosts;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::Body;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Routes that need no key: probes have none, and who is to give one neither.
const OPEN: &[&str] = &["/health", "/ready", LOGIN];
/// The page that asks a person for a key.
const LOGIN: &str = "/login";
/// What pages are made of, which is the same for all.
const ASSETS: &str = "/assets/";
/// What no page is below.
const FOR_PROGRAMS: &[&str] = &["/v1/", "/api/", "/metrics", "/openapi.json"];
/// Where a browser has the key.
const COOKIE: &str = "pacemark_key";
/// Headers of answers that a page's script may read.
const EXPOSED: &str = "x-request-id, x-pacemark-note, retry-after";
/// Bytes of a path in the log.
const MAX_LOGGED_PATH: usize = 100;

/// Checks a request, has it answered, and notes how.
pub(super) async fn guard(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let id = app.new_id();
    // Whatever a terminal might obey is left out of the log.
    let shown = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    let route: String = request.uri().path().chars().take(MAX_LOGGED_PATH).map(shown).collect();
    let origin = allowed_origin(&app, request.headers());
    let mut response = if request.method() == Method::OPTIONS && origin.is_some() {
        preflight(request.headers())
    } else {
        match check(&app, &request) {
            Err(error) if error.status == StatusCode::UNAUTHORIZED && wants_page(&request) => {
                to_login(&request)
            }
            Err(error) => error.into_response(),
            Ok(()) => {
                request.extensions_mut().insert(RequestId(id.clone()));
                next.run(request).await
            }
        }
    };
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS {
        app.metrics.refused.fetch_add(1, Relaxed);
    }
    // Answers of the engine have a line of their own when they end.
    if !app.options.quiet && (status != StatusCode::OK || !route.ends_with("/completions")) {
        log::line(format_args!(
            "{id} {route} {} {:.1} ms",
            status.as_u16(),
            begun.elapsed().as_secs_f64() * 1e3
        ));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        headers.insert(
            header::VARY,
            HeaderValue::from_static("origin, access-control-request-headers"),
        );
    }
    response
}

fn check(app: &App, request: &Request) -> Result<()> {
    if let Some(WrongHosts(found)) = request.extensions().get() {
        return Err(ApiError::invalid(format!("expected one Host header, found {found}")));
    }
    host::check(&app.options, request.headers())?;
    let path = request.uri().path();
    if !OPEN.contains(&path) && !path.starts_with(ASSETS) {
        check_key(&app.options.api_keys, request.headers())?;
    }
    // A web page can post a form or plain text anywhere without being asked; JSON it can not. What has
    // no body has no kind either.
    let is_ours = || {
        let headers = request.headers();
        !host::is_foreign(headers) || allowed_origin(app, headers).is_some()
    };
    let is_bare = || request.body().is_end_stream() && is_ours();
    if request.method() == Method::POST && !is_json(request.headers()) && !is_bare() {
        let message = "expected content-type: application/json";
        return Err(ApiError::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
            .coded("unsupported_media_type"));
    }
    Ok(())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn check_key(keys: &[String], headers: &HeaderMap) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let own = || headers.get("x-api-key").map(|key| key.as_bytes().to_vec());
    let Some(given) = bearer(headers).map(<[u8]>::to_vec).or_else(own).or_else(|| cookie(headers))
    else {
        return Err(ApiError::unauthorized(
            "expected a key: Authorization: Bearer KEY, or X-Api-Key: KEY",
        ));
    };
    // All keys are looked at, whichever fits, so that time tells nothing.
    let fits = keys.iter().fold(false, |fits, key| fits | same(key.as_bytes(), &given));
    if fits { Ok(()) } else { Err(ApiError::unauthorized("the key is not one of this server's")) }
}

/// The key behind `Bearer`, however that is written (RFC 9110, 11.1: schemes have no case).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let given = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, key) = given.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| key.trim_ascii())
}

/// The key that a browser keeps for its pages, which another site's page does not send (SameSite).
fn cookie(headers: &HeaderMap) -> Option<Vec<u8>> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim() == COOKIE)?;
    decoded(value.trim())
}

/// What `encodeURIComponent` made of it (RFC 3986, 2.1).
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        decoded.push(match byte {
            b'%' => (digit()? * 16 + digit()?) as u8,
            byte => byte,
        });
    }
    Some(decoded)
}

/// Whether a person's browser asks for something to look at. What programs ask for is theirs, whatever
/// else they accept.
pub fn wants_page<T>(request: &axum::http::Request<T>) -> bool {
    let path = request.uri().path();
    let is_for_programs = FOR_PROGRAMS.iter().any(|start| path.starts_with(start));
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
    is_read && !is_for_programs && accepts.is_some_and(|kinds| kinds.contains("text/html"))
}

/// Asks for a key, and remembers where the way led.
fn to_login(request: &Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let to: String = path
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("{LOGIN}?to={to}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Equality in a time that depends on the length of `given` alone.
fn same(key: &[u8], given: &[u8]) -> bool {
    let mut difference = u8::from(key.len() != given.len());
    for (i, byte) in given.iter().enumerate() {
        difference |= byte ^ key.get(i % key.len().max(1)).copied().unwrap_or(0);
    }
    std::hint::black_box(difference) == 0
}

/// The request's origin, if browsers may call from there.
fn allowed_origin(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let allowed = &app.options.cors_origins;
    allowed
        .iter()
        .any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
        .then(|| origin.clone())
}

/// What a browser asks before it sends JSON. Which headers a client sends is its own affair
/// (OpenAI's sends a dozen `X-Stainless-…`), and none of them is a danger to a server that reads
/// three: all are let through.
fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, DELETE"),
    );
    let allowed = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let allowed = allowed.unwrap_or(HeaderValue::from_static("authorization, content-type"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_must_be_the_same() {
        for (key, given, is) in [
            ("abc", "abc", true),
            ("abc", "abd", false),
            ("abc", "abcabc", false),
            ("abc", "", false),
            ("", "", true),
        ] {
            assert_eq!(same(key.as_bytes(), given.as_bytes()), is, "{key} {given}");
        }
        let with = |value: &'static str| {
            HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))])
        };
        let keys = ["k1".to_string(), "k2".to_string()];
        for right in ["Bearer k2", "bearer k1", "BEARER k2", "Bearer  k1"] {
            assert!(check_key(&keys, &with(right)).is_ok(), "{right}");
        }
        let own = |key: &'static str| {
            HeaderMap::from_iter([("x-api-key".parse().unwrap(), HeaderValue::from_static(key))])
        };
        assert!(check_key(&keys, &own("k1")).is_ok() && check_key(&keys, &own("k3")).is_err());
        for wrong in ["Bearer k3", "Basic k1", "k1", "Bearer ", "Bearer", "Bearerk1"] {
            assert!(check_key(&keys, &with(wrong)).is_err());
        }
        let kept = |value: &'static str| {
            HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(value))])
        };
        for (value, is) in [
            ("pacemark_key=k1", true),
            ("a=b; pacemark_key=%6b2; c=d", true),
            ("pacemark_key=k3", false),
            ("pacemark_key=%6", false),
            ("pacemark_key=", false),
            ("other=k1", false),
        ] {
            assert_eq!(check_key(&keys, &kept(value)).is_ok(), is, "{value}");
        }
        assert!(check_key(&keys, &HeaderMap::new()).is_err());
        assert!(check_key(&[], &HeaderMap::new()).is_ok());
    }
}
