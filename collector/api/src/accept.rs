//! Which of several forms of an answer a client wants: the header `Accept` (RFC 9110, §12.5.1).

use axum::http::{HeaderMap, header};

use crate::problem::{ApiProblem, NOT_ACCEPTABLE};

/// The form that the client likes best; the first of several alike, and of all where it does not say.
pub(crate) fn choose<T: Copy>(headers: &HeaderMap, forms: &[(&str, T)]) -> Result<T, ApiProblem> {
    let accept: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|range| !range.is_empty())
        .collect();
    let mut best: Option<(f32, T)> = None;
    for (name, form) in forms {
        let quality = if accept.is_empty() { 1.0 } else { quality(&accept, name) };
        if quality > 0.0 && best.is_none_or(|(other, _)| quality > other) {
            best = Some((quality, *form));
        }
    }
    best.map(|(_, form)| form).ok_or_else(|| {
        let names: Vec<&str> = forms.iter().map(|(name, _)| *name).collect();
        ApiProblem::new(NOT_ACCEPTABLE, format!("there is: {}", names.join(", ")))
    })
}

/// How much a form is liked: by the narrowest range that holds it.
fn quality(accept: &[&str], name: &str) -> f32 {
    let (whole, _) = name.split_once('/').unwrap_or((name, ""));
    let mut found: Option<(u8, f32)> = None;
    for range in accept {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let narrowness = if media == name {
            2
        } else if media.strip_suffix("/*") == Some(whole) {
            1
        } else if media == "*/*" {
            0
        } else {
            continue;
        };
        let quality = parts
            .find_map(|part| part.strip_prefix("q="))
            .and_then(|text| text.parse::<f32>().ok())
            .map_or(1.0, |quality| quality.clamp(0.0, 1.0));
        if found.is_none_or(|(other, _)| narrowness > other) {
            found = Some((narrowness, quality));
        }
    }
    found.map_or(0.0, |(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_is_liked_best_is_chosen() {
        let forms = [
            ("application/json", 'j'),
            ("text/csv", 'c'),
            ("application/vnd.apache.arrow.stream", 'a'),
        ];
        for (accept, expected) in [
            (None, Some('j')),
            (Some("*/*"), Some('j')),
            (Some("text/csv"), Some('c')),
            (Some("text/*;q=0.5, application/vnd.apache.arrow.stream"), Some('a')),
            (Some("application/json;q=0.1, text/csv;q=0.2"), Some('c')),
            (Some("*/*, application/json;q=0"), Some('c')),
            (Some("Text/CSV; charset=utf-8"), Some('c')),
            (Some("image/png"), None),
            (Some("text/csv;q=0"), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            }
            assert_eq!(choose(&headers, &forms).ok(), expected, "{accept:?}");
        }
    }
}
