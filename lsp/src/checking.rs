//! When texts are checked, and how the editor is told what is wrong with them.

use std::time::Duration;

use async_lsp::lsp_types::notification::PublishDiagnostics;
use async_lsp::lsp_types::{Diagnostic, PublishDiagnosticsParams, Url};

use crate::documents::Kind;
use crate::server::{Check, Server};

/// A text is checked when nothing was typed for so long.
const CHECK_AFTER: Duration = Duration::from_millis(250);

impl Server {
    /// Checks a text once nothing was typed for a moment.
    pub(crate) fn check_soon(&mut self, url: Url) {
        if self.documents.get(&url).is_none() {
            return;
        }
        let (client, checked) = (self.client.clone(), url.clone());
        let waiting = tokio::spawn(async move {
            tokio::time::sleep(CHECK_AFTER).await;
            // The editor may be gone.
            let _ = client.emit(Check(checked));
        });
        if let Some(earlier) = self.checks.insert(url, waiting.abort_handle()) {
            earlier.abort();
        }
    }

    /// Checks all texts, as more is known of SQL now, which source code may hold too.
    pub(crate) fn check_all(&mut self) {
        self.check_those(|_| true);
    }

    /// Checks all source code, as more is known of its functions now.
    pub(crate) fn check_code(&mut self) {
        self.check_those(|kind| kind == Kind::Code);
    }

    fn check_those(&mut self, is_wanted: impl Fn(Kind) -> bool) {
        let wanted = self.documents.iter().filter(|(_, document)| is_wanted(document.kind));
        let urls: Vec<Url> = wanted.map(|(url, _)| url.clone()).collect();
        for url in urls {
            // News may come faster than a text rests: what waits already is not put off by them.
            if !self.checks.contains_key(&url) {
                self.check_soon(url);
            }
        }
    }

    pub(crate) fn check(&mut self, url: &Url) {
        self.checks.remove(url);
        // What can hold SQL is looked through first, elsewhere.
        if !self.look_through(url) {
            self.tell_mistakes(url);
        }
    }

    /// Tells the editor what is wrong in a text, as far as that is known.
    pub(crate) fn tell_mistakes(&mut self, url: &Url) {
        let Some(document) = self.documents.get(url) else {
            return;
        };
        let of_kind = match document.kind {
            Kind::Settings(_) => self.settings(url, |settings| settings.diagnostics()),
            Kind::Code => self.code_diagnostics(url),
            Kind::Sql => None,
        };
        let mut diagnostics = self.sql_diagnostics(url).unwrap_or_default();
        diagnostics.extend(of_kind.unwrap_or_default());
        self.publish(url.clone(), diagnostics);
    }

    /// Forgets what is wrong in a text that was closed.
    pub(crate) fn forget_checks(&mut self, url: &Url) {
        if let Some(check) = self.checks.remove(url) {
            check.abort();
        }
        self.sql_checks.remove(url);
        self.publish(url.clone(), Vec::new());
    }

    /// Says what is wrong with a text, if that is not what was said before.
    pub(crate) fn publish(&mut self, uri: Url, diagnostics: Vec<Diagnostic>) {
        let said = self.published.get(&uri).map_or(&[][..], Vec::as_slice);
        if said == diagnostics {
            return;
        }
        if diagnostics.is_empty() {
            self.published.remove(&uri);
        } else {
            self.published.insert(uri.clone(), diagnostics.clone());
        }
        // The editor may be gone.
        let _ = self.client.notify::<PublishDiagnostics>(PublishDiagnosticsParams {
            uri,
            diagnostics,
            version: None,
        });
    }
}
