//! The state of the server, and which handler answers what. Handlers answer at once from what is held here; what takes
//! long is done elsewhere and comes back as an event.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_lsp::lsp_types::notification::{
    DidChangeConfiguration, DidChangeTextDocument, DidChangeWatchedFiles, DidCloseTextDocument, DidOpenTextDocument,
    DidSaveTextDocument, Initialized, LogMessage, PublishDiagnostics, SetTrace,
};
use async_lsp::lsp_types::request::{
    CodeActionRequest, CodeLensRefresh, CodeLensRequest, CodeLensResolve, Completion, DocumentSymbolRequest,
    FoldingRangeRequest, Formatting, GotoDefinition, HoverRequest, Initialize, References, RegisterCapability, Rename,
    SemanticTokensFullRequest, Shutdown, SignatureHelpRequest,
};
use async_lsp::lsp_types::{
    CodeActionProviderCapability, CodeLens, CodeLensOptions, CodeLensParams, Command, CompletionOptions,
    CompletionResponse, Diagnostic, DidChangeWatchedFilesRegistrationOptions, DocumentSymbolResponse,
    FileSystemWatcher, FoldingRangeProviderCapability, GlobPattern, GotoDefinitionResponse, Hover, HoverContents,
    HoverParams, HoverProviderCapability, InitializeParams, InitializeResult, LogMessageParams, MarkupContent,
    MarkupKind, MessageType, OneOf, PublishDiagnosticsParams, Registration, RegistrationParams, SaveOptions,
    SemanticTokensFullOptions, SemanticTokensLegend, SemanticTokensOptions, SemanticTokensResult, ServerCapabilities,
    ServerInfo, SignatureHelpOptions, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
    TextDocumentSyncSaveOptions, Url,
};
use async_lsp::router::Router;
use async_lsp::{ClientSocket, ErrorCode, ResponseError};
use flockscope_client::cache_folder;
use flockscope_functions::{FunctionId, Language, Matches, Scan, Workspace};
use flockscope_sql::Catalog;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::AbortHandle;

use crate::documents::Documents;
use crate::figures::Figures;
use crate::positions::{Encoding, offset, range};
use crate::sql::{Sql, TOKEN_TYPES};
use crate::traces::{self, CatalogRead, News, Sign};
use crate::{Options, hover, lens};

/// How often times such as `3 s ago` are shown anew, while the latest span is no older than an hour.
const TICK: Duration = Duration::from_secs(15);
const FRESH: i64 = 3_600 * 1_000_000_000;

/// A text is checked when nothing was typed for so long.
const CHECK_AFTER: Duration = Duration::from_millis(250);

/// Files change by the dozen when a branch is changed.
const LOOK_AFTER: Duration = Duration::from_millis(300);

/// The command of a lens: the editor's extension shows the trace. Its argument is the trace's id.
pub(crate) const OPEN_TRACE: &str = "flockscope.openTrace";

pub(crate) struct Server {
    client: ClientSocket,
    options: Options,
    folder: PathBuf,
    encoding: Encoding,
    can_refresh: bool,
    can_watch: bool,
    documents: Documents,
    workspace: Workspace,
    figures: Arc<Figures>,
    matches: Matches,
    /// What SQL completion knows.
    catalog: Catalog,
    has_snippets: bool,
    /// Texts that are to be checked soon.
    checks: HashMap<Url, AbortHandle>,
    /// Whether functions or figures changed since they were brought together.
    is_unmatched: bool,
    /// A look at the folder that waits or runs.
    look: Option<AbortHandle>,
}

/// The workspace as the cache has it.
struct Loaded(Workspace);

/// What a look at the folder found.
struct Looked(Scan);

/// A text has rested for a moment.
struct Check(Url);

/// Time has passed.
struct Tick;

/// What names a function between a lens and its resolution.
#[derive(Debug, Serialize, Deserialize)]
struct LensData {
    /// A [`FunctionId`] as text: editors that know numbers as `double` alone would round it.
    function: String,
    /// 0: the figures; 1: the latest error.
    line: usize,
}

/// All handlers around the state.
pub(crate) fn router(client: ClientSocket, options: Options) -> Router<Server> {
    let mut router = Router::new(Server {
        client,
        options,
        folder: PathBuf::new(),
        encoding: Encoding::default(),
        can_refresh: false,
        can_watch: false,
        documents: Documents::default(),
        workspace: Workspace::default(),
        figures: Arc::default(),
        matches: Matches::default(),
        catalog: Catalog::builtin(),
        has_snippets: false,
        checks: HashMap::new(),
        is_unmatched: false,
        look: None,
    });
    router
        .request::<Initialize, _>(|server, params| {
            let answer = server.initialize(params);
            async move { Ok(answer) }
        })
        .request::<Shutdown, _>(|_, ()| async move { Ok(()) })
        .request::<CodeLensRequest, _>(|server, params| {
            let lenses = server.lenses(&params);
            async move { Ok(Some(lenses)) }
        })
        .request::<CodeLensResolve, _>(|server, lens| {
            let lens = server.resolved(lens);
            async move { lens }
        })
        .request::<HoverRequest, _>(|server, params| {
            let hover = server.hover(&params);
            async move { Ok(hover) }
        })
        .request::<Completion, _>(|server, params| {
            let at = params.text_document_position;
            let has_snippets = server.has_snippets;
            let list = server.sql(&at.text_document.uri, |sql| sql.completion(at.position, has_snippets));
            async move { Ok(list.map(CompletionResponse::List)) }
        })
        .request::<SignatureHelpRequest, _>(|server, params| {
            let at = params.text_document_position_params;
            let help = server.sql(&at.text_document.uri, |sql| sql.signature(at.position));
            async move { Ok(help.flatten()) }
        })
        .request::<CodeActionRequest, _>(|server, params| {
            let url = &params.text_document.uri;
            let actions = server.sql(url, |sql| sql.actions(url, params.range));
            async move { Ok(actions) }
        })
        .request::<DocumentSymbolRequest, _>(|server, params| {
            let symbols = server.sql(&params.text_document.uri, |sql| sql.symbols());
            async move { Ok(symbols.map(DocumentSymbolResponse::Nested)) }
        })
        .request::<FoldingRangeRequest, _>(|server, params| {
            let folds = server.sql(&params.text_document.uri, |sql| sql.folds());
            async move { Ok(folds) }
        })
        .request::<GotoDefinition, _>(|server, params| {
            let at = params.text_document_position_params;
            let url = &at.text_document.uri;
            let place = server.sql(url, |sql| sql.definition(url, at.position));
            async move { Ok(place.flatten().map(GotoDefinitionResponse::Scalar)) }
        })
        .request::<References, _>(|server, params| {
            let at = params.text_document_position;
            let url = &at.text_document.uri;
            let places = server.sql(url, |sql| sql.references(url, at.position));
            async move { Ok(places.flatten()) }
        })
        .request::<Rename, _>(|server, params| {
            let at = params.text_document_position;
            let url = &at.text_document.uri;
            let edit = server.sql(url, |sql| sql.rename(url, at.position, &params.new_name));
            async move { Ok(edit.flatten()) }
        })
        .request::<Formatting, _>(|server, params| {
            let edits = server.sql(&params.text_document.uri, |sql| sql.format());
            async move { Ok(edits) }
        })
        .request::<SemanticTokensFullRequest, _>(|server, params| {
            let tokens = server.sql(&params.text_document.uri, |sql| sql.tokens());
            async move { Ok(tokens.map(SemanticTokensResult::Tokens)) }
        })
        .notification::<Initialized>(|server, _| {
            server.begin();
            ControlFlow::Continue(())
        })
        .notification::<DidOpenTextDocument>(|server, params| {
            let document = params.text_document;
            server
                .documents
                .open(document.uri.clone(), &document.language_id, document.text);
            server.check_soon(document.uri);
            ControlFlow::Continue(())
        })
        .notification::<DidChangeTextDocument>(|server, params| {
            let encoding = server.encoding;
            server
                .documents
                .change(&params.text_document.uri, params.content_changes, encoding);
            server.check_soon(params.text_document.uri);
            ControlFlow::Continue(())
        })
        .notification::<DidCloseTextDocument>(|server, params| {
            let url = params.text_document.uri;
            let closed = server.documents.close(&url);
            if closed.as_ref().is_some_and(|document| document.is_sql) {
                server.publish(url, Vec::new());
            }
            if let Some(path) = closed.and_then(|document| document.path) {
                server.workspace.close(&path);
                server.look_soon();
            }
            ControlFlow::Continue(())
        })
        .notification::<DidSaveTextDocument>(|server, _| {
            server.look_soon();
            ControlFlow::Continue(())
        })
        .notification::<DidChangeWatchedFiles>(|server, _| {
            server.look_soon();
            ControlFlow::Continue(())
        })
        .notification::<DidChangeConfiguration>(|_, _| ControlFlow::Continue(()))
        .notification::<SetTrace>(|_, _| ControlFlow::Continue(()))
        .event::<Loaded>(|server, Loaded(workspace)| {
            server.workspace = workspace;
            server.all_is_new();
            server.look_soon();
            ControlFlow::Continue(())
        })
        .event::<Looked>(|server, Looked(scan)| {
            server.take_look(scan);
            ControlFlow::Continue(())
        })
        .event::<News>(|server, News(figures)| {
            server.figures = figures;
            server.is_unmatched = true;
            server.refresh();
            ControlFlow::Continue(())
        })
        .event::<CatalogRead>(|server, CatalogRead(catalog)| {
            server.catalog = catalog;
            server.check_all();
            ControlFlow::Continue(())
        })
        .event::<Check>(|server, Check(url)| {
            server.check(&url);
            ControlFlow::Continue(())
        })
        .event::<Tick>(|server, _| {
            if server.figures.latest().is_some_and(|latest| now() - latest < FRESH) {
                server.refresh();
            }
            ControlFlow::Continue(())
        })
        .event::<Sign>(|_, _| ControlFlow::Continue(()))
        // What an editor sends that this version does not know is no reason to end.
        .unhandled_notification(|_, _| ControlFlow::Continue(()));
    router
}

impl Server {
    fn initialize(&mut self, params: InitializeParams) -> InitializeResult {
        #[allow(deprecated, reason = "older editors send nothing else")]
        let root = params.root_uri.as_ref().and_then(|url| url.to_file_path().ok());
        let folders = params.workspace_folders.unwrap_or_default();
        let first = folders.first().and_then(|folder| folder.uri.to_file_path().ok());
        self.folder = first
            .or(root)
            .or_else(|| std::env::current_dir().ok())
            .unwrap_or_default();
        let capabilities = params.capabilities;
        let general = capabilities.general.unwrap_or_default();
        self.encoding = Encoding::of(&general.position_encodings.unwrap_or_default());
        let workspace = capabilities.workspace.unwrap_or_default();
        self.can_refresh = workspace
            .code_lens
            .is_some_and(|lens| lens.refresh_support == Some(true));
        self.can_watch = workspace
            .did_change_watched_files
            .is_some_and(|watching| watching.dynamic_registration == Some(true));
        let text_document = capabilities.text_document.unwrap_or_default();
        let completion = text_document.completion.unwrap_or_default();
        self.has_snippets = completion
            .completion_item
            .is_some_and(|item| item.snippet_support == Some(true));
        self.workspace = Workspace::new(&self.folder);
        InitializeResult {
            capabilities: ServerCapabilities {
                position_encoding: Some(self.encoding.kind()),
                text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
                    open_close: Some(true),
                    change: Some(TextDocumentSyncKind::INCREMENTAL),
                    save: Some(TextDocumentSyncSaveOptions::SaveOptions(SaveOptions::default())),
                    ..TextDocumentSyncOptions::default()
                })),
                code_lens_provider: Some(CodeLensOptions {
                    resolve_provider: Some(true),
                }),
                hover_provider: Some(HoverProviderCapability::Simple(true)),
                completion_provider: Some(CompletionOptions {
                    trigger_characters: Some([".", "'", "(", "\"", ">", " "].map(str::to_owned).to_vec()),
                    ..CompletionOptions::default()
                }),
                signature_help_provider: Some(SignatureHelpOptions {
                    trigger_characters: Some(["(", ","].map(str::to_owned).to_vec()),
                    ..SignatureHelpOptions::default()
                }),
                code_action_provider: Some(CodeActionProviderCapability::Simple(true)),
                document_symbol_provider: Some(OneOf::Left(true)),
                folding_range_provider: Some(FoldingRangeProviderCapability::Simple(true)),
                definition_provider: Some(OneOf::Left(true)),
                references_provider: Some(OneOf::Left(true)),
                rename_provider: Some(OneOf::Left(true)),
                document_formatting_provider: Some(OneOf::Left(true)),
                semantic_tokens_provider: Some(
                    SemanticTokensOptions {
                        legend: SemanticTokensLegend {
                            token_types: TOKEN_TYPES.to_vec(),
                            token_modifiers: Vec::new(),
                        },
                        full: Some(SemanticTokensFullOptions::Bool(true)),
                        ..SemanticTokensOptions::default()
                    }
                    .into(),
                ),
                ..ServerCapabilities::default()
            },
            server_info: Some(ServerInfo {
                name: "flockscope".into(),
                version: Some(env!("CARGO_PKG_VERSION").into()),
            }),
        }
    }

    /// The editor is ready: the workspace is looked at, and its traces are followed, each in a task of its own.
    fn begin(&mut self) {
        let (folder, client) = (self.folder.clone(), self.client.clone());
        let cache_file = cache_file(&folder);
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

    /// Asks the editor to tell of files that change on the disk.
    fn watch_files(&self) {
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
    fn ask<R>(&self, params: R::Params)
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

    fn refresh(&self) {
        if self.can_refresh {
            self.ask::<CodeLensRefresh>(());
        }
    }

    /// Looks at the folder soon, once for many changes.
    fn look_soon(&mut self) {
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

    fn take_look(&mut self, scan: Scan) {
        let changed = scan.changed_count();
        self.workspace.apply(scan);
        self.all_is_new();
        let _ = self.client.notify::<LogMessage>(LogMessageParams {
            typ: MessageType::LOG,
            message: format!(
                "{} files with functions are known, {changed} of them read just now",
                self.workspace.file_count()
            ),
        });
        if let Some(file) = cache_file(&self.folder)
            && let Err(error) = self.workspace.save(&file)
        {
            tracing::debug!(%error, "the list of functions could not be kept for the next start");
        }
        self.refresh();
    }

    fn all_is_new(&mut self) {
        for document in self.documents.iter_mut() {
            document.is_new = true;
        }
        self.is_unmatched = true;
    }

    /// Asks the SQL engine about a text; nothing for one that is no SQL.
    fn sql<T>(&self, url: &Url, ask: impl FnOnce(&Sql<'_>) -> T) -> Option<T> {
        let document = self.documents.get(url).filter(|document| document.is_sql)?;
        Some(ask(&Sql {
            catalog: &self.catalog,
            text: &document.text,
            lines: &document.lines,
            encoding: self.encoding,
        }))
    }

    /// Checks a text of SQL once nothing was typed for a moment.
    fn check_soon(&mut self, url: Url) {
        if self.documents.get(&url).is_none_or(|document| !document.is_sql) {
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

    /// Checks all texts, as more is known now.
    fn check_all(&mut self) {
        let urls: Vec<Url> = self.documents.iter().map(|(url, _)| url.clone()).collect();
        for url in urls {
            self.check_soon(url);
        }
    }

    fn check(&mut self, url: &Url) {
        self.checks.remove(url);
        if let Some(diagnostics) = self.sql(url, |sql| sql.diagnostics()) {
            self.publish(url.clone(), diagnostics);
        }
    }

    fn publish(&self, uri: Url, diagnostics: Vec<Diagnostic>) {
        // The editor may be gone.
        let _ = self.client.notify::<PublishDiagnostics>(PublishDiagnosticsParams {
            uri,
            diagnostics,
            version: None,
        });
    }

    /// Tells the workspace of the text as the editor has it. Returns its path.
    fn up_to_date(&mut self, url: &Url) -> Option<PathBuf> {
        let document = self.documents.get_mut(url)?;
        let path = document.path.clone()?;
        if std::mem::take(&mut document.is_new) {
            self.workspace.update(&path, &document.text);
            self.is_unmatched = true;
        }
        if std::mem::take(&mut self.is_unmatched) {
            self.matches = self.figures.matched_with(&self.workspace);
        }
        Some(path)
    }

    fn lenses(&mut self, params: &CodeLensParams) -> Vec<CodeLens> {
        let url = &params.text_document.uri;
        let Some(path) = self.up_to_date(url) else {
            return Vec::new();
        };
        let Some(document) = self.documents.get(url) else {
            return Vec::new();
        };
        let mut lenses = Vec::new();
        for function in self.workspace.functions(&path) {
            let figures = self.figures.of(function.id, &self.matches);
            if !lens::is_wanted(&function, figures.as_ref()) {
                continue;
            }
            let Ok(id) = serde_json::to_string(&function.id) else {
                continue;
            };
            let has_failed = figures.is_some_and(|figures| figures.last_error.is_some());
            for line in 0..=usize::from(has_failed) {
                let data = LensData {
                    function: id.clone(),
                    line,
                };
                lenses.push(CodeLens {
                    range: range(&document.lines, &function.definition.name_range, self.encoding),
                    command: None,
                    data: serde_json::to_value(data).ok(),
                });
            }
        }
        lenses
    }

    /// Fills in what a lens says. The function may be gone by now, and then it says nothing.
    fn resolved(&mut self, lens: CodeLens) -> Result<CodeLens, ResponseError> {
        let foreign =
            |error| ResponseError::new(ErrorCode::INVALID_PARAMS, format!("not a lens of this server: {error}"));
        let data: LensData = serde_json::from_value(lens.data.clone().unwrap_or_default()).map_err(foreign)?;
        let function: FunctionId = serde_json::from_str(&data.function).map_err(foreign)?;
        let command = match self.figures.of(function, &self.matches) {
            Some(figures) => {
                let title = lens::titles(&figures, now()).into_iter().nth(data.line);
                let trace = match data.line {
                    0 => Some(&figures.last.last_trace_id),
                    _ => figures.last_error.and_then(|row| row.last_error_trace_id.as_ref()),
                };
                Command {
                    title: title.unwrap_or_default(),
                    command: OPEN_TRACE.into(),
                    arguments: trace.map(|trace| vec![trace.as_str().into()]),
                }
            }
            None => Command {
                title: lens::NEVER.into(),
                command: String::new(),
                arguments: None,
            },
        };
        Ok(CodeLens {
            command: Some(command),
            ..lens
        })
    }

    fn hover(&mut self, params: &HoverParams) -> Option<Hover> {
        let at = &params.text_document_position_params;
        let url = &at.text_document.uri;
        if let Some(hover) = self.sql(url, |sql| sql.hover(at.position)) {
            return hover;
        }
        let path = self.up_to_date(url)?;
        let document = self.documents.get(url)?;
        let offset = u32::try_from(offset(&document.text, &document.lines, at.position, self.encoding)).ok()?;
        let (ids, bytes) = self.meant(&path, offset)?;
        let found = ids.iter().find_map(|id| {
            let function = self.workspace.function(*id)?;
            let figures = self.figures.of(*id, &self.matches)?;
            Some(hover::markdown(&function, &figures, now()))
        });
        Some(Hover {
            contents: HoverContents::Markup(MarkupContent {
                kind: MarkupKind::Markdown,
                value: found?,
            }),
            range: Some(range(&document.lines, &bytes, self.encoding)),
        })
    }

    /// The functions that are meant at a byte: the one whose name stands there, or those that are called there.
    fn meant(&self, path: &Path, offset: u32) -> Option<(Vec<FunctionId>, std::ops::Range<u32>)> {
        if let Some(function) = self.workspace.function_at(path, offset) {
            let name = &function.definition.name_range;
            if name.start <= offset && offset <= name.end {
                return Some((vec![function.id], name.clone()));
            }
        }
        let callee = self.workspace.call_at(path, offset)?;
        Some((callee.candidates, callee.name_range))
    }
}

/// Where the list of functions of a folder is kept for the next start.
fn cache_file(folder: &Path) -> Option<PathBuf> {
    let name = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    let name: String = name.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Some(cache_folder().ok()?.join("functions").join(name))
}

/// Nanoseconds since the epoch.
fn now() -> i64 {
    chrono::Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX)
}
