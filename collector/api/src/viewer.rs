//! A folder with a viewer, at `/`: files as they are, and its index page for every other path, which a page with views
//! of its own takes apart. Nothing outside of the folder is served, not by a link in it either.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use percent_encoding::percent_decode_str;
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::api::unknown_route;
use crate::problem::{ApiProblem, WRONG_METHOD};

/// What a page may load: only from here. Styles in the page itself are common, and harmless beside this.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; \
                      connect-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'";

/// Puts the viewer behind the routes.
pub(crate) fn serve(router: Router, folder: PathBuf) -> Router {
    router.fallback_service(any(move |request: Request| answer(folder.clone(), request)))
}

async fn answer(folder: PathBuf, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return ApiProblem::new(WRONG_METHOD, "files are only read").into_response();
    }
    let path = request.uri().path().to_owned();
    let served = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || is_file_inside(&folder, &path)).await
    };
    let request = match served {
        Ok(true) => request,
        _ => index(&request),
    };
    let is_page = request.uri().path().ends_with(".html");
    let uri = request.uri().clone();
    let Ok(response) = ServeDir::new(folder)
        .append_index_html_on_directories(false)
        .oneshot(request)
        .await;
    if response.status().is_client_error() {
        return unknown_route(uri).await.into_response();
    }
    let mut response = response.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    let cache = if is_page { "no-cache" } else { "private, max-age=3600" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// Whether a path leads to a file that lies inside the folder in truth. `ServeDir` refuses `..`, but follows links.
fn is_file_inside(folder: &Path, path: &str) -> bool {
    let Ok(decoded) = percent_decode_str(path).decode_utf8() else {
        return false;
    };
    let relative = decoded.trim_start_matches('/');
    if relative.is_empty() || relative.contains('\0') || relative.split(['/', '\\']).any(|part| part == "..") {
        return false;
    }
    match (folder.canonicalize(), folder.join(relative).canonicalize()) {
        (Ok(folder), Ok(file)) => file.starts_with(folder) && file.is_file(),
        _ => false,
    }
}

/// The same request for the index page.
fn index(request: &Request) -> Request {
    let mut page = Request::new(axum::body::Body::empty());
    *page.method_mut() = request.method().clone();
    *page.uri_mut() = Uri::from_static("/index.html");
    for name in [header::IF_MODIFIED_SINCE, header::RANGE] {
        if let Some(value) = request.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page
}
