//! The parameters of a query string: each is asked for by name and checked, and what nobody asked for is refused.

use std::ops::RangeInclusive;

use axum::http::Uri;
use flockscope_store::Window;

use crate::moments::{self, MOMENT, Moment};
use crate::problem::{ApiProblem, BAD_PARAMETER};

/// Most parameters in one request.
const MOST: usize = 64;

/// The parameters of one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters {
    found: Vec<(String, String)>,
    known: Vec<&'static str>,
    moves: bool,
}

impl Parameters {
    /// Takes a query string apart.
    pub(crate) fn of(uri: &Uri) -> Result<Self, ApiProblem> {
        let query = uri.query().unwrap_or_default();
        let found: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .take(MOST + 1)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if found.len() > MOST {
            return Err(ApiProblem::new(
                BAD_PARAMETER,
                format!("there are more than {MOST} parameters"),
            ));
        }
        match found.iter().find(|(_, value)| value.contains('\0')) {
            Some((name, value)) => Err(ApiProblem::parameter(name, value, "a text without zero bytes")),
            None => Ok(Self {
                found,
                ..Self::default()
            }),
        }
    }

    /// Whether an answer may change although nothing was stored: a time is counted back from now.
    pub(crate) fn moves(&self) -> bool {
        self.moves
    }

    /// All values of a parameter that may be repeated.
    pub(crate) fn texts(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let (values, rest) = std::mem::take(&mut self.found)
            .into_iter()
            .partition(|(found, _)| found == name);
        self.found = rest;
        let values: Vec<(String, String)> = values;
        values.into_iter().map(|(_, value)| value).collect()
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, ApiProblem> {
        let mut values = self.texts(name);
        if values.len() > 1 {
            return Err(ApiProblem::parameter(name, &values.join(", "), "given once"));
        }
        Ok(values.pop())
    }

    /// A text that is not empty and not longer than `most` bytes.
    pub(crate) fn short_text(&mut self, name: &'static str, most: usize) -> Result<Option<String>, ApiProblem> {
        match self.text(name)? {
            Some(text) if text.is_empty() || text.len() > most => Err(ApiProblem::parameter(
                name,
                &text,
                format!("a text of 1 to {most} bytes"),
            )),
            text => Ok(text),
        }
    }

    /// A whole number.
    pub(crate) fn integer(
        &mut self,
        name: &'static str,
        allowed: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ApiProblem> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits && allowed.contains(&number) => Ok(Some(number)),
            _ => Err(ApiProblem::parameter(
                name,
                &text,
                format!("a whole number from {} to {}", allowed.start(), allowed.end()),
            )),
        }
    }

    /// A number of milliseconds, not negative.
    pub(crate) fn milliseconds(&mut self, name: &'static str) -> Result<Option<f64>, ApiProblem> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(Some(number)),
            _ => Err(ApiProblem::parameter(
                name,
                &text,
                "a number of milliseconds, 0 or more",
            )),
        }
    }

    /// A word out of a list; what stands for it.
    pub(crate) fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Result<Option<T>, ApiProblem> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                Err(ApiProblem::parameter(
                    name,
                    &text,
                    format!("one of: {}", all.join(", ")),
                ))
            }
        }
    }

    /// The stretch of time from `since` to `until`.
    pub(crate) fn window(&mut self) -> Result<Window, ApiProblem> {
        let now = moments::now();
        let since = self.moment("since", now)?;
        let until = self.moment("until", now)?;
        if let (Some(since), Some(until)) = (since, until)
            && since.ns >= until.ns
        {
            return Err(ApiProblem::parameter(
                "until",
                &until.ns.to_string(),
                format!("a time after since ({})", since.ns),
            ));
        }
        Ok(Window {
            since: since.map(|moment| moment.ns),
            until: until.map(|moment| moment.ns),
        })
    }

    fn moment(&mut self, name: &'static str, now: i64) -> Result<Option<Moment>, ApiProblem> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let moment = moments::moment(&text, now).ok_or_else(|| ApiProblem::parameter(name, &text, MOMENT))?;
        self.moves |= moment.moves;
        Ok(Some(moment))
    }

    /// Refuses what nobody asked for.
    pub(crate) fn finish(&self) -> Result<(), ApiProblem> {
        match self.found.first() {
            Some((name, value)) => Err(unknown("parameter", name, &self.known).with("value", {
                let shown: String = value.chars().take(200).collect();
                shown.into()
            })),
            None => Ok(()),
        }
    }
}

/// The problem that something has an unknown name, with the nearest known one.
pub(crate) fn unknown(what: &str, name: &str, known: &[&'static str]) -> ApiProblem {
    let shown: String = name.chars().take(100).collect();
    let nearest = known
        .iter()
        .map(|known| (strsim::jaro_winkler(&shown.to_lowercase(), known), *known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let advice = match (nearest, known) {
        (Some((_, nearest)), _) => format!("did you mean {nearest}?"),
        (None, []) => "none is known here".to_owned(),
        (None, known) => format!("known are: {}", known.join(", ")),
    };
    let problem = ApiProblem::new(BAD_PARAMETER, format!("there is no {what} {shown:?}: {advice}"))
        .with("parameter", shown.into())
        .with("allowed", known.to_vec().into());
    match nearest {
        Some((_, nearest)) => problem.with("nearest", nearest.into()),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Parameters {
        let uri: Uri = format!("/x?{query}").parse().expect("a URI");
        Parameters::of(&uri).expect("parameters")
    }

    #[test]
    fn what_nobody_asked_for_is_refused_with_the_nearest_name() {
        let mut parameters = of("servce=A");
        assert_eq!(parameters.text("service").expect("none"), None);
        let problem = parameters.finish().expect_err("unknown").to_string();
        assert!(
            problem.contains("servce") && problem.contains("did you mean service?"),
            "{problem}"
        );
    }

    #[test]
    fn a_window_must_not_end_before_it_begins() {
        assert!(of("since=1h&until=2h").window().is_err());
        let mut parameters = of("since=2h&until=1h");
        assert!(parameters.window().is_ok() && parameters.moves());
        assert!(of("since=1h&since=2h").window().is_err());
    }

    #[test]
    fn numbers_are_within_their_limits() {
        for bad in ["0", "501", "-1", "+5", "1.0", "", "x", "99999999999999999999"] {
            let problem = of(&format!("limit={bad}")).integer("limit", 1..=500).expect_err(bad);
            assert!(problem.to_string().contains("1 to 500"), "{problem}");
        }
        assert_eq!(of("limit=500").integer("limit", 1..=500).expect("fine"), Some(500));
        assert!(of("min_duration_ms=NaN").milliseconds("min_duration_ms").is_err());
        assert!(of("min_duration_ms=inf").milliseconds("min_duration_ms").is_err());
    }
}
