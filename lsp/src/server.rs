//! The state of the server. Handlers (`routes.rs`) answer at once from what is held here; what takes
//! long is done elsewhere and comes back as an event.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_lsp::ClientSocket;
use async_lsp::lsp_types::notification::{LogMessage, ShowMessage};
use async_lsp::lsp_types::request::{CodeLensRefresh, InlayHintRefreshRequest, RegisterCapability};
use async_lsp::lsp_types::{
    Diagnostic, DidChangeWatchedFilesRegistrationOptions, FileSystemWatcher, GlobPattern, LogMessageParams,
    MessageType, Registration, RegistrationParams, ShowMessageParams, Url,
};
use flockscope_client::Connection;
use flockscope_functions::{GitAnswers, GitLook, Language, Matches, Scan, Workspace};
use flockscope_sql::Catalog;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::Options;
use crate::calls::Edges;
use crate::changes::{Changes, Comparison};
use crate::details::Details;
use crate::documents::{Documents, Kind};
use crate::exceptions::Raised;
use crate::figures::Figures;
use crate::kept;
use crate::mistakes::{Key, Older};
use crate::notebooks::Notebooks;
use crate::positions::Encoding;
use crate::preferences::Preferences;
use crate::readings::Read;
use crate::settings::SettingsText;
use crate::sql::Sql;
use crate::sql_checks::Checked;
use crate::traces;

/// How often times such as `3 s ago` are shown anew, while the latest span is no older than an hour.
const TICK: Duration = Duration::from_secs(15);
pub(crate) const FRESH: i64 = 3_600 * 1_000_000_000;

/// Files change by the dozen when a branch is changed.
const LOOK_AFTER: Duration = Duration::from_millis(300);

pub(crate) struct Server {
    pub(crate) client: ClientSocket,
    pub(crate) options: Options,
    pub(crate) folder: PathBuf,
    pub(crate) encoding: Encoding,
    pub(crate) can_refresh: bool,
    pub(crate) can_watch: bool,
    /// Whether the editor opens a file when it is asked to.
    pub(crate) can_show: bool,
    pub(crate) can_refresh_hints: bool,
    pub(crate) documents: Documents,
    pub(crate) workspace: Workspace,
    pub(crate) figures: Arc<Figures>,
    /// Whether the traces were asked, or looked for in vain.
    pub(crate) has_figures: bool,
    pub(crate) matches: Matches,
    pub(crate) edges: Arc<Edges>,
    pub(crate) details: Arc<Details>,
    pub(crate) changes: Arc<Changes>,
    /// What SQL completion knows.
    pub(crate) catalog: Catalog,
    pub(crate) preferences: Preferences,
    /// Tells what to compare.
    comparisons: watch::Sender<Comparison>,
    pub(crate) has_snippets: bool,
    /// Whether the editor shows the results of queries itself.
    pub(crate) shows_results: bool,
    /// The traces, while they can be asked. No handler waits for them.
    pub(crate) connection: Option<Connection>,
    /// What DuckDB said about queries.
    pub(crate) sql_checks: HashMap<Url, Checked>,
    /// Keys that none of the newest spans has, once the others were asked for them.
    pub(crate) older_keys: HashMap<Key, Older>,
    pub(crate) notebooks: Notebooks,
    /// Texts that are to be checked soon.
    pub(crate) checks: HashMap<Url, AbortHandle>,
    /// Where exceptions were raised; none: to be worked out.
    pub(crate) raised: Option<Vec<Raised>>,
    /// What was said to be wrong with texts.
    pub(crate) published: HashMap<Url, Vec<Diagnostic>>,
    /// Whether functions or figures changed since they were brought together.
    pub(crate) is_unmatched: bool,
    /// Whether git is being asked what was edited.
    pub(crate) is_git_asked: bool,
    /// A look at the folder that waits or runs.
    pub(crate) look: Option<AbortHandle>,
}

/// The workspace as the cache has it.
pub(crate) struct Loaded(pub(crate) Workspace);

/// What a look at the folder found.
pub(crate) struct Looked(pub(crate) Scan);

/// What git knows of edits.
pub(crate) struct GitAnswered(pub(crate) GitAnswers);

/// A text has rested for a moment.
pub(crate) struct Check(pub(crate) Url);

/// Time has passed.
pub(crate) struct Tick;

impl Server {
    pub(crate) fn new(client: ClientSocket, options: Options) -> Self {
        Self {
            client,
            options,
            folder: PathBuf::new(),
            encoding: Encoding::default(),
            can_refresh: false,
            can_watch: false,
            can_show: false,
            can_refresh_hints: false,
            has_snippets: false,
            shows_results: false,
            connection: None,
            sql_checks: HashMap::new(),
            older_keys: HashMap::new(),
            notebooks: Notebooks::new(),
            documents: Documents::default(),
            workspace: Workspace::default(),
            figures: Arc::default(),
            has_figures: false,
            matches: Matches::default(),
            edges: Arc::default(),
            details: Arc::default(),
            changes: Arc::default(),
            preferences: Preferences::default(),
            comparisons: watch::Sender::default(),
            catalog: Catalog::builtin(),
            checks: HashMap::new(),
            raised: None,
            published: HashMap::new(),
            is_unmatched: false,
            is_git_asked: false,
            look: None,
        }
    }

    /// The editor is ready: the workspace is looked at, and its traces are followed, each in a task of its own.
    pub(crate) fn begin(&mut self) {
        let (folder, client) = (self.folder.clone(), self.client.clone());
        let cache_file = kept::file("functions", &folder, None);
        tokio::task::spawn_blocking(move || {
            let workspace = match cache_file {
                Some(file) => Workspace::load(&folder, &file),
                None => Workspace::new(&folder),
            };
            // The editor may be gone.
            let _ = client.emit(Loaded(workspace));
        });
        tokio::spawn(traces::follow(
            self.folder.clone(),
            self.options.clone(),
            self.client.clone(),
            self.comparisons.subscribe(),
        ));
        let client = self.client.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                if client.emit(Tick).is_err() {
                    return;
                }
            }
        });
        if self.can_watch {
            self.watch_files();
        }
    }

    /// Takes what the user sets in the editor.
    pub(crate) fn prefer(&mut self, sent: &serde_json::Value) {
        match Preferences::read(sent) {
            Ok(preferences) => self.preferences = preferences,
            Err(error) => {
                // The editor may be gone.
                let _ = self.client.notify::<ShowMessage>(ShowMessageParams {
                    typ: MessageType::WARNING,
                    message: format!("Flockscope: {error}. What was set before counts."),
                });
                return;
            }
        }
        let comparison = self.preferences.lens.compare;
        self.comparisons
            .send_if_modified(|known| std::mem::replace(known, comparison) != comparison);
    }

    /// Asks the editor to tell of files that change on the disk.
    pub(crate) fn watch_files(&self) {
        let watchers = Language::ENDINGS.map(|ending| FileSystemWatcher {
            glob_pattern: GlobPattern::String(format!("**/*.{ending}")),
            kind: None,
        });
        let options = DidChangeWatchedFilesRegistrationOptions {
            watchers: watchers.to_vec(),
        };
        let Ok(options) = serde_json::to_value(options) else {
            return;
        };
        let params = RegistrationParams {
            registrations: vec![Registration {
                id: "files".into(),
                method: "workspace/didChangeWatchedFiles".into(),
                register_options: Some(options),
            }],
        };
        self.ask::<RegisterCapability>(params);
    }

    /// Asks the editor something, and waits for its answer elsewhere: it may never come.
    pub(crate) fn ask<R>(&self, params: R::Params)
    where
        R: async_lsp::lsp_types::request::Request,
        R::Params: Send + 'static,
        R::Result: Send,
    {
        let client = self.client.clone();
        tokio::spawn(async move {
            if let Err(error) = client.request::<R>(params).await {
                tracing::debug!(%error, method = R::METHOD, "the editor did not do it");
            }
        });
    }

    /// Takes what was read of the traces.
    pub(crate) fn take(&mut self, read: Read) {
        match read {
            Read::Functions(figures) => {
                self.is_unmatched |= !figures.match_as(&self.figures);
                self.figures = figures;
                self.has_figures = true;
                self.ask_git();
                self.refresh();
                self.check_code();
            }
            // What was read meanwhile is newer.
            Read::Kept(_) if self.has_figures => {}
            Read::Kept(figures) => {
                self.figures = figures;
                self.is_unmatched = true;
                self.refresh();
            }
            Read::Changes(changes) => {
                self.changes = changes;
                self.refresh();
                self.check_code();
            }
            Read::Details(details) => {
                self.details = details;
                self.raised = None;
                self.check_code();
            }
            Read::Edges(edges) => {
                self.edges = edges;
                if self.can_refresh_hints {
                    self.ask::<InlayHintRefreshRequest>(());
                }
            }
            Read::Catalog(catalog) => {
                self.catalog = catalog;
                self.check_all();
            }
        }
    }

    pub(crate) fn refresh(&self) {
        if self.can_refresh {
            self.ask::<CodeLensRefresh>(());
        }
    }

    /// Looks at the folder soon, once for many changes.
    pub(crate) fn look_soon(&mut self) {
        if let Some(look) = self.look.take() {
            look.abort();
        }
        let (known, client) = (self.workspace.stamps(), self.client.clone());
        let look = tokio::spawn(async move {
            tokio::time::sleep(LOOK_AFTER).await;
            let active = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
            let scan = tokio::task::spawn_blocking(move || Scan::run(&known, active.as_deref())).await;
            if let Ok(scan) = scan
                && !scan.is_empty()
            {
                let _ = client.emit(Looked(scan));
            }
        });
        self.look = Some(look.abort_handle());
    }

    pub(crate) fn take_look(&mut self, scan: Scan) {
        let changed = scan.changed_count();
        self.workspace.apply(scan);
        self.all_is_new();
        self.ask_git();
        let _ = self.client.notify::<LogMessage>(LogMessageParams {
            typ: MessageType::LOG,
            message: format!(
                "{} files with functions are known, {changed} of them read just now",
                self.workspace.file_count()
            ),
        });
        if let Some(file) = kept::file("functions", &self.folder, None) {
            let workspace = self.workspace.to_keep();
            tokio::task::spawn_blocking(move || {
                if let Err(error) = workspace.save(&file) {
                    tracing::debug!(%error, "the list of functions could not be kept for the next start");
                }
            });
        }
        self.refresh();
    }

    /// Asks git which functions were edited since their latest spans, where nobody has seen it.
    pub(crate) fn ask_git(&mut self) {
        if self.is_git_asked || self.figures.is_empty() {
            return;
        }
        self.match_anew();
        let functions = self.matches.functions();
        let latest = functions.filter_map(|id| Some((id, self.figures.of(id, &self.matches)?.last.last_time)));
        let look = GitLook::new(&self.workspace, latest);
        if look.is_empty() {
            return;
        }
        self.is_git_asked = true;
        let client = self.client.clone();
        tokio::task::spawn_blocking(move || {
            // The editor may be gone.
            let _ = client.emit(GitAnswered(look.run()));
        });
    }

    pub(crate) fn take_git(&mut self, answers: GitAnswers) {
        self.is_git_asked = false;
        self.workspace.apply_git(answers);
        self.refresh();
        self.check_code();
    }

    pub(crate) fn all_is_new(&mut self) {
        for document in self.documents.iter_mut() {
            document.is_new = true;
        }
        self.is_unmatched = true;
        self.raised = None;
    }

    /// Asks the SQL engine about a text; nothing for one that is no SQL.
    pub(crate) fn sql<T>(&self, url: &Url, ask: impl FnOnce(&Sql<'_>) -> T) -> Option<T> {
        let document = self.documents.get(url)?;
        let start = document.sql_start()?;
        Some(ask(&Sql::of_document(&self.catalog, document, self.encoding, start)))
    }

    /// Asks about a text of settings; nothing for any other.
    pub(crate) fn settings<T>(&self, url: &Url, ask: impl FnOnce(&SettingsText<'_>) -> T) -> Option<T> {
        let document = self.documents.get(url)?;
        let Kind::Settings(form) = document.kind else {
            return None;
        };
        Some(ask(&SettingsText {
            form,
            catalog: &self.catalog,
            text: &document.text,
            lines: &document.lines,
            encoding: self.encoding,
        }))
    }
}

/// Nanoseconds since the epoch.
pub(crate) fn now() -> i64 {
    chrono::Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX)
}
