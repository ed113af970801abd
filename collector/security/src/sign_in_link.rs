//! The answer to a link with a token in it: the browser gets a cookie, and goes to the same page without the token.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use crate::connection::Connection;

/// Cookies are shared by all ports of a host, so the port is part of the name.
pub(crate) fn cookie_name(connection: &Connection) -> String {
    format!("flockscope_token_{}", connection.local.port())
}

/// - `lifetime_s`: seconds until the cookie ends.
/// - `address`: path and query of the page, without the token.
/// - `foreign`: whether a page of another site led here. Its redirect would come without a strict cookie; a page that
///   refreshes itself is our own, and its next request has the cookie.
pub(crate) fn answer(connection: &Connection, cookie: &str, lifetime_s: i64, address: &str, foreign: bool) -> Response {
    let mut response = Response::new(Body::empty());
    let secure = if connection.tls { "; Secure" } else { "" };
    let name = cookie_name(connection);
    let cookie = format!("{name}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={lifetime_s}{secure}");
    let (target, target_value) = if foreign {
        *response.body_mut() = Body::from("<!doctype html><title>Flockscope</title>");
        (HeaderName::from_static("refresh"), format!("0;url={address}"))
    } else {
        *response.status_mut() = StatusCode::SEE_OTHER;
        (LOCATION, address.to_owned())
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // A path and a cookie of ours are ASCII, so neither is ever left out.
    for (name, value) in [(SET_COOKIE, cookie), (target, target_value)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}
