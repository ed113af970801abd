//! What the editor can do, and what this server can.

use async_lsp::lsp_types::{
    CallHierarchyServerCapability, CodeActionProviderCapability, CodeLensOptions, CompletionOptions,
    ExecuteCommandOptions, FoldingRangeProviderCapability, HoverProviderCapability, InitializeParams, InitializeResult,
    OneOf, SaveOptions, SemanticTokensFullOptions, SemanticTokensLegend, SemanticTokensOptions, ServerCapabilities,
    ServerInfo, SignatureHelpOptions, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
    TextDocumentSyncSaveOptions,
};
use flockscope_functions::Workspace;

use crate::positions::Encoding;
use crate::server::Server;
use crate::sql::TOKEN_TYPES;

impl Server {
    pub(crate) fn initialize(&mut self, params: InitializeParams) -> InitializeResult {
        #[allow(deprecated, reason = "older editors send nothing else")]
        let root = params.root_uri.as_ref().and_then(|url| url.to_file_path().ok());
        let folders = params.workspace_folders.unwrap_or_default();
        let first = folders.first().and_then(|folder| folder.uri.to_file_path().ok());
        self.folder = first
            .or(root)
            .or_else(|| std::env::current_dir().ok())
            .unwrap_or_default();
        let capabilities = params.capabilities;
        let own = capabilities.experimental.unwrap_or_default();
        self.shows_results = own["flockscope"]["sqlResults"] == true;
        let general = capabilities.general.unwrap_or_default();
        self.encoding = Encoding::of(&general.position_encodings.unwrap_or_default());
        let workspace = capabilities.workspace.unwrap_or_default();
        self.can_refresh = workspace
            .code_lens
            .is_some_and(|lens| lens.refresh_support == Some(true));
        self.can_watch = workspace
            .did_change_watched_files
            .is_some_and(|watching| watching.dynamic_registration == Some(true));
        self.can_refresh_hints = workspace
            .inlay_hint
            .is_some_and(|hint| hint.refresh_support == Some(true));
        let window = capabilities.window.unwrap_or_default();
        self.can_show = window.show_document.is_some_and(|showing| showing.support);
        let text_document = capabilities.text_document.unwrap_or_default();
        let completion = text_document.completion.unwrap_or_default();
        self.has_snippets = completion
            .completion_item
            .is_some_and(|item| item.snippet_support == Some(true));
        self.workspace = Workspace::new(&self.folder);
        self.prefer(&params.initialization_options.unwrap_or_default());
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
                    trigger_characters: Some([".", "'", "(", "\"", ">", " ", "="].map(str::to_owned).to_vec()),
                    ..CompletionOptions::default()
                }),
                signature_help_provider: Some(SignatureHelpOptions {
                    trigger_characters: Some(["(", ","].map(str::to_owned).to_vec()),
                    ..SignatureHelpOptions::default()
                }),
                code_action_provider: Some(CodeActionProviderCapability::Simple(true)),
                document_symbol_provider: Some(OneOf::Left(true)),
                folding_range_provider: Some(FoldingRangeProviderCapability::Simple(true)),
                workspace_symbol_provider: Some(OneOf::Left(true)),
                inlay_hint_provider: Some(OneOf::Left(true)),
                execute_command_provider: Some(ExecuteCommandOptions {
                    commands: self.commands(),
                    ..ExecuteCommandOptions::default()
                }),
                call_hierarchy_provider: Some(CallHierarchyServerCapability::Simple(true)),
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
}
