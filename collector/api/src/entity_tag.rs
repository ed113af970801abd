//! Entity tags (RFC 9110, §8.8.3) of answers that are polled.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

/// The tag of one answer. It is weak: the same answer may come compressed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntityTag(String);

impl EntityTag {
    /// The tag of all that hangs on these alone.
    pub(crate) fn of(parts: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        parts.hash(&mut hasher);
        Self(format!("{:016x}", hasher.finish()))
    }

    /// The answer 304, if the client has what this tag stands for already.
    pub(crate) fn not_modified(&self, request: &HeaderMap, max_age: u32) -> Option<Response> {
        let has = request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'))
            .any(|tag| tag == self.0 || tag == "*");
        has.then(|| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            self.write(response.headers_mut(), max_age);
            response
        })
    }

    /// Sets the headers of an answer. A client may keep it for `max_age` seconds before it asks again.
    pub(crate) fn write(&self, headers: &mut HeaderMap, max_age: u32) {
        if let Ok(tag) = HeaderValue::from_str(&format!("W/\"{}\"", self.0)) {
            headers.insert(header::ETAG, tag);
        }
        let cache = if max_age == 0 {
            HeaderValue::from_static("private, no-cache")
        } else {
            HeaderValue::from_str(&format!("private, max-age={max_age}, must-revalidate"))
                .unwrap_or(HeaderValue::from_static("private, no-cache"))
        };
        headers.insert(header::CACHE_CONTROL, cache);
        headers.insert(header::VARY, HeaderValue::from_static("authorization"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_again_in_all_its_forms() {
        let tag = EntityTag::of(("a", 1));
        assert_ne!(tag, EntityTag::of(("a", 2)));
        for text in [
            format!("W/\"{}\"", tag.0),
            format!("\"{}\"", tag.0),
            format!("\"x\", W/\"{}\"", tag.0),
            "*".to_owned(),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, text.parse().expect("a header"));
            let response = tag.not_modified(&headers, 0).expect("304");
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
            assert!(response.headers().contains_key(header::ETAG));
        }
        assert!(tag.not_modified(&HeaderMap::new(), 0).is_none());
    }
}
