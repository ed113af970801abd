//! How spans are shown, each once.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{Write, stdout};

use flockscope_model::{Promoted, Span};
use flockscope_render::{Style, text};

use crate::failure::Failure;
use crate::output::Format;

/// Spans that are remembered as shown, so that none is shown twice when the file is read again.
const MOST_REMEMBERED: usize = 4_000_000;

/// Which spans were shown, as hashes of their ids.
#[derive(Default)]
pub(super) struct Shown {
    hasher: RandomState,
    spans: HashSet<u64>,
}

impl Shown {
    pub(super) fn only_new<'a>(&mut self, spans: &'a [Span]) -> Vec<&'a Span> {
        if self.spans.len() > MOST_REMEMBERED {
            self.spans.clear();
        }
        let mut is_new = |span: &&Span| self.spans.insert(self.hasher.hash_one((&span.trace_id, &span.span_id)));
        spans.iter().filter(|span| is_new(span)).collect()
    }
}

pub(super) struct View {
    pub(super) format: Format,
    pub(super) style: Style,
}

impl View {
    pub(super) fn show(&self, spans: &[&Span]) -> Result<(), Failure> {
        let mut stdout = stdout().lock();
        for span in spans {
            let line = match self.format {
                Format::Json => span.to_line().map_err(|error| Failure::Failed(error.to_string()))? + "\n",
                _ => text::finished(span, Promoted::of(span).agent.as_deref(), &self.style),
            };
            stdout.write_all(line.as_bytes()).map_err(Failure::writing)?;
        }
        stdout.flush().map_err(Failure::writing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flockscope_model::NewSpan;

    fn span(id: &str) -> Span {
        let found = NewSpan {
            trace_id: "1".into(),
            span_id: id.into(),
            name: "Agent.execute".into(),
            start_time: 1,
            end_time: 3,
            ..NewSpan::default()
        };
        Span::new(found, |_| {}).expect("a sound span")
    }

    #[test]
    fn a_span_that_is_read_again_is_not_shown_again() {
        let mut shown = Shown::default();
        let (one, two) = (span("a"), span("b"));
        assert_eq!(shown.only_new(std::slice::from_ref(&one)).len(), 1);
        let again = [one, two];
        let new = shown.only_new(&again);
        assert_eq!(new.iter().map(|span| span.span_id.as_str()).collect::<Vec<_>>(), ["b"]);
    }
}
