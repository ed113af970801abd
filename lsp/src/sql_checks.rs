//! What DuckDB says about the queries of a text. It is asked in a task of its own, once a text rests, and only about
//! queries that it was not asked about before: it binds them and runs nothing.

use std::collections::{HashMap, HashSet};
use std::ops::Range as Bytes;

use async_lsp::lsp_types::{CodeActionOrCommand, Diagnostic, Position, Range, SemanticTokens, Url};
use flockscope_client::Connection;
use flockscope_sql::Lint;
use tokio::task::AbortHandle;

use crate::catalog::SPANS_FOR_KEYS;
use crate::documents::Kind;
use crate::findings::{Findings, Piece};
use crate::mistakes::{Key, Mistake, Older, mistake, older};
use crate::positions::offset;
use crate::server::Server;
use crate::sql::{Sql, relative};

/// Larger queries were generated.
const LARGEST: usize = 64 << 10;

/// Queries that DuckDB is asked about before the next ones wait for the next pause.
const MOST_AT_ONCE: usize = 200;

/// Keys that are remembered as looked for, and how many of a text are looked for at once.
const MOST_KEYS: usize = 2_000;
const MOST_KEYS_AT_ONCE: usize = 20;

/// A longer text is looked through on a thread of its own alone, never by a handler.
const LARGE: usize = 32 << 10;

/// What is known of the queries of a text, by their words.
#[derive(Debug, Default)]
pub(crate) struct Answers(HashMap<String, Option<Mistake>>);

/// What the traces said when they were asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) answers: &'a Answers,
    pub(crate) keys: &'a HashMap<Key, Older>,
}

impl<'a> Said<'a> {
    /// What is wrong with a query, so far as DuckDB was asked.
    pub(crate) fn of(&self, query: &str) -> Option<&'a Mistake> {
        self.answers.0.get(query).and_then(Option::as_ref)
    }

    /// A lint as it is now known to be. What is said of a key that only the newest spans were searched for waits until the
    /// others were.
    pub(crate) fn confirmed(&self, mut lint: Lint) -> Option<Lint> {
        let Some(key) = &lint.unknown_key else {
            return Some(lint);
        };
        match self.keys.get(key)? {
            Older::Have => return None,
            Older::HaveNot => {}
            Older::Unsure => {
                if let Some(rest) = lint.message.strip_prefix("No span") {
                    lint.message = format!("None of the newest {SPANS_FOR_KEYS} spans{rest}");
                }
            }
        }
        Some(lint)
    }
}

/// What is known of a text, and the task that asks about it.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    findings: Option<Findings>,
    answers: Answers,
    running: Option<AbortHandle>,
}

/// A text was looked through, for the main loop.
pub(crate) struct Found {
    url: Url,
    findings: Findings,
}

impl Drop for Checked {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

/// DuckDB has answered about a query, for the main loop.
pub(crate) struct Answered {
    url: Url,
    query: String,
    mistake: Option<Mistake>,
}

/// It has looked for a key.
pub(crate) struct KeyLookedFor {
    key: Key,
    older: Older,
}

/// It has answered about all that was asked.
pub(crate) struct AllAnswered(pub(crate) Url);

/// The traces can be asked, or no longer.
pub(crate) struct Reached(pub(crate) Option<Connection>);

impl Server {
    /// Asks about every piece of SQL of a text, in its order; nothing for a text that can have none.
    pub(crate) fn each_sql<T>(&mut self, url: &Url, mut ask: impl FnMut(&Sql<'_>) -> T) -> Option<Vec<T>> {
        let document = self.documents.get(url)?;
        if let Some(start) = document.sql_start() {
            let sql = Sql::of_document(&self.catalog, document, self.encoding, start);
            return Some(vec![ask(&sql)]);
        }
        if !document.is_python {
            return (document.kind == Kind::Sql).then(Vec::new);
        }
        let strings = if document.is_cell {
            self.documents.get_mut(url)?.cell_strings().to_vec()
        } else {
            let path = self.up_to_date(url)?;
            self.workspace.sql_strings(&path)
        };
        let document = self.documents.get(url)?;
        let of_string = |string| ask(&Sql::of_string(&self.catalog, document, self.encoding, string));
        Some(strings.iter().map(of_string).collect())
    }

    /// Asks about the SQL at a place: of a text that is SQL, or of a string of Python that is.
    pub(crate) fn sql_at<T>(&mut self, url: &Url, at: Position, ask: impl FnOnce(&Sql<'_>) -> T) -> Option<T> {
        let document = self.documents.get(url)?;
        let place = offset(&document.text, &document.lines, at, self.encoding);
        if let Some(start) = document.sql_start() {
            let sql = || Sql::of_document(&self.catalog, document, self.encoding, start);
            return (place >= start).then(|| ask(&sql()));
        }
        if !document.is_python {
            return None;
        }
        let place = u32::try_from(place).ok()?;
        let string = if document.is_cell {
            let strings = self.documents.get_mut(url)?.cell_strings();
            let holds = |bytes: &Bytes<u32>| bytes.start <= place && place <= bytes.end;
            strings.iter().find(|string| holds(&string.range))?.clone()
        } else {
            let path = self.up_to_date(url)?;
            self.workspace.sql_at(&path, place)?
        };
        let document = self.documents.get(url)?;
        Some(ask(&Sql::of_string(&self.catalog, document, self.encoding, &string)))
    }

    /// Looks a text through for SQL, on a thread of its own. What is found comes as an event. Whether there can be any.
    pub(crate) fn look_through(&mut self, url: &Url) -> bool {
        let Some(unread) = self.each_sql(url, |sql| sql.unread()) else {
            return false;
        };
        let Some(edition) = self.documents.get(url).map(|document| document.edition) else {
            return false;
        };
        let (catalog, client, url) = (self.catalog.clone(), self.client.clone(), url.clone());
        tokio::task::spawn_blocking(move || {
            let pieces = unread.into_iter().map(|piece| piece.read(&catalog)).collect();
            let findings = Findings { edition, pieces };
            // The editor may be gone.
            let _ = client.emit(Found { url, findings });
        });
        true
    }

    pub(crate) fn take_found(&mut self, Found { url, findings }: Found) {
        let document = self.documents.get(&url);
        if document.is_none_or(|document| document.edition != findings.edition) {
            // The text is another one by now, and is looked through when it rests.
            return;
        }
        let is_large = document.is_some_and(|document| document.text.len() > LARGE);
        self.sql_checks.entry(url.clone()).or_default().findings = Some(findings);
        self.tell_mistakes(&url);
        self.ask_duckdb(&url);
        if is_large {
            // Its lenses were waited for.
            self.refresh();
        }
    }

    /// Asks about what was found in the text as it is now; nothing before it was looked through. A short text is looked
    /// through at once.
    pub(crate) fn with_findings<T>(
        &mut self,
        url: &Url,
        ask: impl Fn(&Sql<'_>, &Piece, Said<'_>) -> T,
    ) -> Option<Vec<T>> {
        let edition = self.documents.get(url)?.edition;
        let is_known = |checked: &Checked| checked.findings.as_ref().is_some_and(|found| found.edition == edition);
        if !self.sql_checks.get(url).is_some_and(is_known) {
            if self.documents.get(url)?.text.len() > LARGE {
                return None;
            }
            let catalog = self.catalog.clone();
            let pieces = self.each_sql(url, |sql| sql.unread().read(&catalog))?;
            self.sql_checks.entry(url.clone()).or_default().findings = Some(Findings { edition, pieces });
        }
        let checked = self.sql_checks.get(url)?;
        let document = self.documents.get(url)?;
        let said = Said {
            answers: &checked.answers,
            keys: &self.older_keys,
        };
        let pieces = checked.findings.iter().flat_map(|found| &found.pieces);
        let asked = pieces.map(|piece| {
            let sql = match &piece.string {
                Some(string) => Sql::of_string(&self.catalog, document, self.encoding, string),
                None => Sql::of_document(&self.catalog, document, self.encoding, piece.start),
            };
            ask(&sql, piece, said)
        });
        Some(asked.collect())
    }

    /// What is wrong in the SQL of a text; nothing for a text that can have none.
    pub(crate) fn sql_diagnostics(&mut self, url: &Url) -> Option<Vec<Diagnostic>> {
        let found = self.with_findings(url, |sql, piece, said| sql.diagnostics(piece, said))?;
        Some(found.into_iter().flatten().collect())
    }

    /// Fixes of what is wrong within a range.
    pub(crate) fn sql_actions(&mut self, url: &Url, within: Range) -> Option<Vec<CodeActionOrCommand>> {
        let found = self.with_findings(url, |sql, piece, said| sql.actions(url, within, piece, said))?;
        Some(found.into_iter().flatten().collect())
    }

    /// The colours of the SQL of a text; nothing for a text that has none, so that another server's are shown.
    pub(crate) fn sql_tokens(&mut self, url: &Url) -> Option<SemanticTokens> {
        let tokens = self.each_sql(url, |sql| sql.tokens())?;
        (!tokens.is_empty()).then(|| relative(tokens.into_iter().flatten()))
    }

    /// Asks DuckDB about the queries of a text that it was not asked about before. Answers come as events.
    pub(crate) fn ask_duckdb(&mut self, url: &Url) {
        let Some(connection) = self.connection.clone() else {
            return;
        };
        let checked = self.sql_checks.entry(url.clone()).or_default();
        let pieces = checked.findings.as_ref().map_or(&[] as &[Piece], |found| &found.pieces);
        let wanted: Vec<String> = pieces
            .iter()
            .flat_map(|piece| &piece.queries)
            .filter(|(_, query)| query.len() <= LARGEST)
            .map(|(_, query)| query.clone())
            .collect();
        let keys = pieces.iter().flat_map(|piece| &piece.lints);
        let mut keys: Vec<Key> = keys.filter_map(|lint| lint.unknown_key.clone()).collect();
        keys.sort();
        keys.dedup();
        keys.retain(|key| !self.older_keys.contains_key(key));
        keys.truncate(MOST_KEYS_AT_ONCE);
        if let Some(running) = checked.running.take() {
            running.abort();
        }
        let known: HashSet<&String> = wanted.iter().collect();
        checked.answers.0.retain(|query, _| known.contains(query));
        let mut new: Vec<String> = Vec::new();
        for query in known {
            if new.len() < MOST_AT_ONCE && !checked.answers.0.contains_key(query) {
                new.push(query.clone());
            }
        }
        if new.is_empty() && keys.is_empty() {
            return;
        }
        let (client, url) = (self.client.clone(), url.clone());
        let running = tokio::spawn(async move {
            for query in new {
                let Ok(mistake) = mistake(&connection, &query).await else {
                    // Asked again at the next change.
                    break;
                };
                let url = url.clone();
                // The editor may be gone.
                let _ = client.emit(Answered { url, query, mistake });
            }
            for key in keys {
                let Ok(older) = older(&connection, &key).await else {
                    break;
                };
                let _ = client.emit(KeyLookedFor { key, older });
            }
            let _ = client.emit(AllAnswered(url));
        });
        checked.running = Some(running.abort_handle());
    }

    pub(crate) fn take_answer(&mut self, answered: Answered) {
        if let Some(checked) = self.sql_checks.get_mut(&answered.url) {
            checked.answers.0.insert(answered.query, answered.mistake);
        }
    }

    pub(crate) fn take_key(&mut self, KeyLookedFor { key, older }: KeyLookedFor) {
        if self.older_keys.len() >= MOST_KEYS {
            self.older_keys.clear();
        }
        self.older_keys.insert(key, older);
    }

    /// The traces are others, or are gone: what DuckDB said does not count any more.
    pub(crate) fn reach(&mut self, connection: Option<Connection>) {
        if connection.is_none() && self.connection.is_none() {
            return;
        }
        self.connection = connection;
        self.sql_checks.clear();
        self.older_keys.clear();
        self.check_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_only_called_unknown_once_all_spans_were_searched() {
        let key = ("attributes".to_owned(), "b".to_owned());
        let lint = Lint {
            range: 0..1,
            severity: flockscope_sql::Severity::Warning,
            code: "unknown-attribute",
            message: "No span has `b`".into(),
            fixes: Vec::new(),
            unknown_key: Some(key.clone()),
        };
        let message = |known: Option<Older>| {
            let keys = known.map(|older| (key.clone(), older)).into_iter().collect();
            let said = Said {
                answers: &Answers::default(),
                keys: &keys,
            };
            said.confirmed(lint.clone()).map(|lint| lint.message)
        };
        assert_eq!(message(None), None);
        assert_eq!(message(Some(Older::Have)), None);
        assert_eq!(message(Some(Older::HaveNot)).as_deref(), Some("No span has `b`"));
        let unsure = message(Some(Older::Unsure));
        assert_eq!(unsure.as_deref(), Some("None of the newest 20000 spans has `b`"));
    }
}
