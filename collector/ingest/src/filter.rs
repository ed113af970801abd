//! Which spans are kept, with the meaning that Flock gives to `FLOCK_TRACE_SERVICES` and `FLOCK_TRACE_IGNORE`.

use std::collections::HashSet;

use flockscope_model::Span;

/// Flock's `TraceFilterConfig`: names that are ignored go first, then only the services on the list are kept.
///
/// A span that the filter leaves out was unwanted, not refused: the client hears that it was accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Lower-case. `None`: all services.
    services: Option<HashSet<String>>,
    /// As written.
    ignored: HashSet<String>,
}

impl Filter {
    /// `services`: only these, in any case; `None` keeps all, and an empty list (as in Flock) keeps nothing.
    /// `ignored`: whole span names such as `Class.method`, in exactly this case.
    pub fn new(services: Option<impl IntoIterator<Item = String>>, ignored: impl IntoIterator<Item = String>) -> Self {
        Self {
            services: services.map(|names| names.into_iter().map(|name| name.to_lowercase()).collect()),
            ignored: ignored.into_iter().collect(),
        }
    }

    /// Whether a span is wanted.
    pub fn keeps(&self, span: &Span) -> bool {
        if self.ignored.contains(&span.name) {
            return false;
        }
        match &self.services {
            None => true,
            Some(services) => services.contains(&span.service.to_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use flockscope_model::NewSpan;

    use super::*;

    fn span(name: &str) -> Span {
        let found = NewSpan {
            trace_id: "1".into(),
            span_id: "2".into(),
            name: name.into(),
            start_time: 1,
            ..NewSpan::default()
        };
        Span::new(found, |_| {}).expect("a span that can be placed")
    }

    #[test]
    fn services_are_compared_in_any_case_and_ignored_names_exactly() {
        let filter = Filter::new(Some(["AGENT".into(), "flock".into()]), ["Agent.save".into()]);
        assert!(filter.keeps(&span("Agent.execute")));
        assert!(filter.keeps(&span("Flock.publish")));
        assert!(!filter.keeps(&span("Store.get")), "not on the list");
        assert!(!filter.keeps(&span("Agent.save")), "ignored before the list is asked");
        assert!(filter.keeps(&span("Agent.Save")), "another name");
    }

    #[test]
    fn no_list_keeps_all_and_an_empty_list_nothing() {
        assert!(Filter::default().keeps(&span("anything")));
        let nothing = Filter::new(Some([]), []);
        assert!(!nothing.keeps(&span("anything")));
    }
}
