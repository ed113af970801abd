//! Spans on their way to a reader: counted, checked, and not too many at once.

use std::fmt;

use flockscope_model::{NewSpan, ReadReport, Repair, SkipReason, Span};

/// About how many spans a batch holds at most.
pub(crate) const MOST_SPANS: usize = 10_000;
/// About how many bytes of text a batch holds at most.
pub(crate) const MOST_TEXT: usize = 32 << 20;

/// A batch that is being filled.
#[derive(Default)]
pub(crate) struct Batch {
    spans: Vec<Span>,
    text: usize,
}

impl Batch {
    /// Counts a span that was found, and keeps it if it can be placed.
    pub(crate) fn add(&mut self, found: Result<Found, SkipReason>, place: impl fmt::Display, report: &mut ReadReport) {
        report.read += 1;
        let made = found.and_then(|found| {
            let mut span = Span::new(found.span, |repair| report.repair(repair))?;
            if found.replaced_utf8 {
                report.repair(Repair::InvalidUtf8);
                note(&mut span.repair, "invalid UTF-8 was replaced");
            }
            if let Some(earlier) = found.earlier_repair {
                note(&mut span.repair, &earlier);
            }
            Ok(span)
        });
        match made {
            Ok(span) => self.push(span),
            Err(reason) => report.skip(reason, place),
        }
    }

    /// Keeps a span that was counted already.
    pub(crate) fn push(&mut self, span: Span) {
        self.text += span.size();
        self.spans.push(span);
    }

    /// Whether it is time to hand the batch over.
    pub(crate) fn is_full(&self) -> bool {
        self.spans.len() >= MOST_SPANS || self.text >= MOST_TEXT
    }

    /// The spans, leaving the batch empty; `None` if there are none.
    pub(crate) fn take(&mut self) -> Option<Vec<Span>> {
        self.text = 0;
        (!self.spans.is_empty()).then(|| std::mem::take(&mut self.spans))
    }
}

/// A span as it was found, and what happened to it on the way here.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) span: NewSpan,
    /// Bytes of it were not UTF-8.
    pub(crate) replaced_utf8: bool,
    /// What another store had mended on it.
    pub(crate) earlier_repair: Option<String>,
}

impl From<NewSpan> for Found {
    fn from(span: NewSpan) -> Self {
        Self {
            span,
            ..Self::default()
        }
    }
}

fn note(repairs: &mut Option<String>, words: &str) {
    match repairs {
        Some(repairs) => {
            repairs.push_str("; ");
            repairs.push_str(words);
        }
        None => *repairs = Some(words.to_owned()),
    }
}
