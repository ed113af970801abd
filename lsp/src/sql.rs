//! SQL in files and in strings: the engine's answers in the words of the protocol.

use std::ops::Range as Bytes;

use async_lsp::lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeLens, CompletionItem, CompletionItemKind, CompletionList,
    CompletionTextEdit, Diagnostic, DiagnosticSeverity, DocumentSymbol, Documentation, FoldingRange, Hover,
    HoverContents, InsertTextFormat, Location, MarkupContent, MarkupKind, NumberOrString, ParameterInformation,
    ParameterLabel, Position, SemanticToken, SemanticTokenType, SemanticTokens, SignatureHelp, SignatureInformation,
    SymbolKind, TextEdit, Url, WorkspaceEdit,
};
use flockscope_functions::SqlString;
use flockscope_sql::{Catalog, Fix, HighlightKind, ItemKind, Literal, Severity, Symbol};

use crate::documents::Document;
use crate::findings::{Piece, Unread, touches_hole};
use crate::mistakes::Mistake;
use crate::positions::{Encoding, offset, position, range};
use crate::sql_checks::Said;
use crate::sql_commands::query_lenses;

/// A piece of SQL at hand, with what is known: a document from a byte on, or a string of one.
pub(crate) struct Sql<'a> {
    catalog: &'a Catalog,
    document: &'a Document,
    encoding: Encoding,
    text: &'a str,
    /// Where the text begins in the document.
    start: usize,
    /// The string that it stands in.
    string: Option<&'a SqlString>,
}

/// The kinds of tokens that are coloured; a token names one by its place here.
pub(crate) const TOKEN_TYPES: [SemanticTokenType; 9] = [
    SemanticTokenType::KEYWORD,
    SemanticTokenType::FUNCTION,
    SemanticTokenType::CLASS,
    SemanticTokenType::PROPERTY,
    SemanticTokenType::STRING,
    SemanticTokenType::NUMBER,
    SemanticTokenType::COMMENT,
    SemanticTokenType::OPERATOR,
    SemanticTokenType::PARAMETER,
];

impl<'a> Sql<'a> {
    /// The SQL that a document is from a byte on.
    pub(crate) fn of_document(catalog: &'a Catalog, document: &'a Document, encoding: Encoding, start: usize) -> Self {
        Self {
            catalog,
            document,
            encoding,
            text: document.text.get(start..).unwrap_or_default(),
            start,
            string: None,
        }
    }

    /// The SQL in a string of a document.
    pub(crate) fn of_string(
        catalog: &'a Catalog,
        document: &'a Document,
        encoding: Encoding,
        string: &'a SqlString,
    ) -> Self {
        Self {
            catalog,
            document,
            encoding,
            text: &string.sql,
            start: string.range.start as usize,
            string: Some(string),
        }
    }

    fn offset(&self, position: Position) -> usize {
        let document = self.document;
        let offset = offset(&document.text, &document.lines, position, self.encoding);
        offset.saturating_sub(self.start).min(self.text.len())
    }

    fn range(&self, bytes: &Bytes<usize>) -> async_lsp::lsp_types::Range {
        let place = |offset: usize| u32::try_from(self.start + offset).unwrap_or(u32::MAX);
        range(
            &self.document.lines,
            &(place(bytes.start)..place(bytes.end)),
            self.encoding,
        )
    }

    /// A piece of SQL as it is written here.
    fn written(&self, sql: String) -> String {
        match self.string {
            Some(string) => string.written(&sql),
            None => sql,
        }
    }

    /// `has_snippets`: whether the editor fills places in.
    pub(crate) fn completion(&self, at: Position, has_snippets: bool) -> CompletionList {
        let found = flockscope_sql::complete(self.catalog, self.text, self.offset(at));
        let replace = self.range(&found.replace);
        let items = found
            .items
            .into_iter()
            .filter(|item| has_snippets || !item.is_snippet)
            .map(|item| CompletionItem {
                label: item.label,
                kind: Some(kind(item.kind)),
                detail: (!item.detail.is_empty()).then_some(item.detail),
                documentation: (!item.doc.is_empty()).then(|| Documentation::MarkupContent(markdown(item.doc))),
                sort_text: Some(item.sort_text),
                filter_text: Some(item.filter_text),
                insert_text_format: Some(match item.is_snippet {
                    true => InsertTextFormat::SNIPPET,
                    false => InsertTextFormat::PLAIN_TEXT,
                }),
                text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(
                    replace,
                    self.written(item.insert),
                ))),
                ..CompletionItem::default()
            });
        CompletionList {
            is_incomplete: found.incomplete,
            items: items.collect(),
        }
    }

    pub(crate) fn hover(&self, at: Position) -> Option<Hover> {
        let found = flockscope_sql::hover(self.catalog, self.text, self.offset(at))?;
        Some(Hover {
            contents: HoverContents::Markup(markdown(found.markdown)),
            range: Some(self.range(&found.range)),
        })
    }

    /// The value at a place that something is compared with.
    pub(crate) fn literal(&self, at: Position) -> Option<Literal> {
        flockscope_sql::literal_at(self.catalog, self.text, self.offset(at))
    }

    pub(crate) fn signature(&self, at: Position) -> Option<SignatureHelp> {
        let found = flockscope_sql::signature(self.catalog, self.text, self.offset(at))?;
        let parameters = found.parameters.iter().map(|bytes| ParameterInformation {
            label: ParameterLabel::Simple(found.label.get(bytes.clone()).unwrap_or_default().to_owned()),
            documentation: None,
        });
        let active = found.active.and_then(|active| u32::try_from(active).ok());
        Some(SignatureHelp {
            signatures: vec![SignatureInformation {
                parameters: Some(parameters.collect()),
                documentation: (!found.doc.is_empty()).then(|| Documentation::MarkupContent(markdown(found.doc))),
                active_parameter: active,
                label: found.label,
            }],
            active_signature: Some(0),
            active_parameter: active,
        })
    }

    /// What is to be looked through elsewhere.
    pub(crate) fn unread(&self) -> Unread {
        Unread {
            text: self.text.to_owned(),
            start: self.start,
            string: self.string.cloned(),
        }
    }

    /// What DuckDB found, each with the range of its query.
    fn mistakes<'m>(&self, piece: &Piece, said: Said<'m>) -> Vec<(Bytes<usize>, &'m Mistake)> {
        let mut found = Vec::new();
        for (query, text) in &piece.queries {
            let answer = said.of(text);
            found.extend(
                answer
                    .filter(|mistake| !(query.follows_others && mistake.is_missing))
                    .map(|mistake| (query.range.clone(), mistake)),
            );
        }
        found
    }

    /// The lints of the text, but for what DuckDB has said already.
    fn lints(&self, piece: &Piece, mistakes: &[(Bytes<usize>, &Mistake)], said: Said<'_>) -> Vec<flockscope_sql::Lint> {
        let is_said = |lint: &&flockscope_sql::Lint| {
            let mut mistakes = mistakes.iter();
            mistakes.any(|(query, mistake)| moved(&mistake.range, query.start) == lint.range)
        };
        let lints = piece.lints.iter().filter(|lint| !is_said(lint));
        lints.filter_map(|lint| said.confirmed(lint.clone())).collect()
    }

    /// Whether something that an f-string puts in stands in a range.
    fn is_hole(&self, bytes: &Bytes<usize>) -> bool {
        self.string.is_some_and(|string| touches_hole(string, bytes))
    }

    /// What is wrong: what DuckDB says about queries, as far as it was asked, and what only the traces tell.
    pub(crate) fn diagnostics(&self, piece: &Piece, said: Said<'_>) -> Vec<Diagnostic> {
        let mistakes = self.mistakes(piece, said);
        let diagnostic = |bytes: &Bytes<usize>, severity, code: &str, message: String| Diagnostic {
            range: self.range(bytes),
            severity: Some(severity),
            code: Some(NumberOrString::String(code.to_owned())),
            source: Some("flockscope".into()),
            message,
            ..Diagnostic::default()
        };
        let of_duckdb = mistakes.iter().map(|(query, mistake)| {
            let bytes = moved(&mistake.range, query.start);
            diagnostic(&bytes, DiagnosticSeverity::ERROR, "duckdb", mistake.message.clone())
        });
        let of_traces = self.lints(piece, &mistakes, said).into_iter().map(|lint| {
            let severity = match lint.severity {
                Severity::Warning => DiagnosticSeverity::WARNING,
                Severity::Information => DiagnosticSeverity::INFORMATION,
            };
            diagnostic(&lint.range, severity, lint.code, lint.message)
        });
        of_duckdb.chain(of_traces).collect()
    }

    /// The fixes of what is wrong within a range.
    pub(crate) fn actions(
        &self,
        url: &Url,
        within: async_lsp::lsp_types::Range,
        piece: &Piece,
        said: Said<'_>,
    ) -> Vec<CodeActionOrCommand> {
        let wanted = |bytes: &Bytes<usize>| {
            let range = self.range(bytes);
            range.start <= within.end && within.start <= range.end
        };
        let mistakes = self.mistakes(piece, said);
        let mut fixes: Vec<Fix> = Vec::new();
        for (query, mistake) in &mistakes {
            let bytes = moved(&mistake.range, query.start);
            if wanted(&bytes) {
                fixes.extend(mistake.candidates.iter().map(|name| Fix {
                    title: format!("Use {name}"),
                    range: bytes.clone(),
                    text: name.clone(),
                }));
            }
        }
        let touched = self
            .lints(piece, &mistakes, said)
            .into_iter()
            .filter(|lint| wanted(&lint.range));
        fixes.extend(touched.flat_map(|lint| lint.fixes));
        fixes
            .into_iter()
            .map(|fix| {
                let edit = TextEdit::new(self.range(&fix.range), self.written(fix.text));
                CodeActionOrCommand::CodeAction(CodeAction {
                    title: fix.title,
                    kind: Some(CodeActionKind::QUICKFIX),
                    edit: Some(WorkspaceEdit::new([(url.clone(), vec![edit])].into())),
                    ..CodeAction::default()
                })
            })
            .collect()
    }

    /// What stands above each query.
    pub(crate) fn lenses(&self, url: &Url, piece: &Piece) -> Vec<CodeLens> {
        let queries = piece.queries.iter();
        let lenses = queries.flat_map(|(query, text)| query_lenses(url, text, self.range(&query.range)));
        lenses.collect()
    }

    pub(crate) fn symbols(&self) -> Vec<DocumentSymbol> {
        let symbols = flockscope_sql::symbols(self.text);
        symbols.into_iter().map(|symbol| self.symbol(symbol)).collect()
    }

    #[allow(deprecated, reason = "the type has a field that is, and no other way to be made")]
    fn symbol(&self, symbol: Symbol) -> DocumentSymbol {
        let children: Vec<DocumentSymbol> = symbol.children.into_iter().map(|child| self.symbol(child)).collect();
        DocumentSymbol {
            name: symbol.name,
            detail: None,
            kind: match symbol.kind {
                flockscope_sql::SymbolKind::Statement => SymbolKind::MODULE,
                flockscope_sql::SymbolKind::Cte => SymbolKind::FUNCTION,
            },
            tags: None,
            deprecated: None,
            range: self.range(&symbol.range),
            selection_range: self.range(&symbol.selection),
            children: (!children.is_empty()).then_some(children),
        }
    }

    pub(crate) fn folds(&self) -> Vec<FoldingRange> {
        let folds = flockscope_sql::folds(self.text);
        let fold = |bytes: Bytes<usize>| {
            let range = self.range(&bytes);
            FoldingRange {
                start_line: range.start.line,
                end_line: range.end.line,
                ..FoldingRange::default()
            }
        };
        folds.into_iter().map(fold).collect()
    }

    pub(crate) fn definition(&self, url: &Url, at: Position) -> Option<Location> {
        let found = flockscope_sql::references(self.catalog, self.text, self.offset(at))?;
        Some(Location::new(url.clone(), self.range(&found.definition)))
    }

    pub(crate) fn references(&self, url: &Url, at: Position) -> Option<Vec<Location>> {
        let found = flockscope_sql::references(self.catalog, self.text, self.offset(at))?;
        let location = |bytes: &Bytes<usize>| Location::new(url.clone(), self.range(bytes));
        Some(found.all.iter().map(location).collect())
    }

    pub(crate) fn rename(&self, url: &Url, at: Position, name: &str) -> Option<WorkspaceEdit> {
        let edits = flockscope_sql::rename(self.catalog, self.text, self.offset(at), name)?;
        let edits = edits
            .into_iter()
            .map(|(bytes, text)| TextEdit::new(self.range(&bytes), text));
        Some(WorkspaceEdit::new([(url.clone(), edits.collect())].into()))
    }

    /// The whole text anew; nothing where it can't be laid out.
    pub(crate) fn format(&self) -> Vec<TextEdit> {
        match flockscope_sql::format(self.text) {
            Some(text) if text != self.text => vec![TextEdit::new(self.range(&(0..self.text.len())), text)],
            _ => Vec::new(),
        }
    }

    /// What is coloured, in order: begin, length and kind, none over more than a line.
    pub(crate) fn tokens(&self) -> Vec<Coloured> {
        let mut found = Vec::new();
        let lines = &self.document.lines;
        for (bytes, kind) in flockscope_sql::highlights(self.text) {
            if self.is_hole(&bytes) {
                continue;
            }
            for (start, end) in self.lines_of(&bytes) {
                let begin = position(lines, start, self.encoding);
                let finish = position(lines, end, self.encoding);
                found.push(Coloured {
                    begin,
                    length: finish.character.saturating_sub(begin.character),
                    kind: token_type(kind),
                });
            }
        }
        found
    }

    /// The parts of a token on each of its lines.
    fn lines_of(&self, bytes: &Bytes<usize>) -> Vec<(u32, u32)> {
        let mut parts = Vec::new();
        let mut start = self.start + bytes.start;
        for line in self.text.get(bytes.clone()).unwrap_or_default().split_inclusive('\n') {
            let end = start + line.trim_end_matches(['\r', '\n']).len();
            if let (Ok(from), Ok(to)) = (u32::try_from(start), u32::try_from(end))
                && from < to
            {
                parts.push((from, to));
            }
            start += line.len();
        }
        parts
    }
}

/// A token that the editor colours.
pub(crate) struct Coloured {
    begin: Position,
    length: u32,
    kind: u32,
}

/// Tokens relative to the one before.
/// <https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#textDocument_semanticTokens>
pub(crate) fn relative(tokens: impl IntoIterator<Item = Coloured>) -> SemanticTokens {
    let mut data = Vec::new();
    let mut last = Position::default();
    for token in tokens {
        let delta_line = token.begin.line.saturating_sub(last.line);
        let before = if delta_line == 0 { last.character } else { 0 };
        data.push(SemanticToken {
            delta_line,
            delta_start: token.begin.character.saturating_sub(before),
            length: token.length,
            token_type: token.kind,
            token_modifiers_bitset: 0,
        });
        last = token.begin;
    }
    SemanticTokens { result_id: None, data }
}

/// A range that counts from the begin of a query.
fn moved(bytes: &Bytes<usize>, by: usize) -> Bytes<usize> {
    bytes.start + by..bytes.end + by
}

fn markdown(value: String) -> MarkupContent {
    MarkupContent {
        kind: MarkupKind::Markdown,
        value,
    }
}

fn kind(kind: ItemKind) -> CompletionItemKind {
    match kind {
        ItemKind::Column | ItemKind::Field => CompletionItemKind::FIELD,
        ItemKind::Relation | ItemKind::Cte => CompletionItemKind::CLASS,
        ItemKind::Alias | ItemKind::Variable => CompletionItemKind::VARIABLE,
        ItemKind::Macro | ItemKind::Function => CompletionItemKind::FUNCTION,
        ItemKind::Parameter | ItemKind::AttributeKey => CompletionItemKind::PROPERTY,
        ItemKind::Keyword => CompletionItemKind::KEYWORD,
        ItemKind::Snippet | ItemKind::Join => CompletionItemKind::SNIPPET,
        ItemKind::Value => CompletionItemKind::VALUE,
        ItemKind::Trace => CompletionItemKind::REFERENCE,
        ItemKind::Type => CompletionItemKind::TYPE_PARAMETER,
    }
}

fn token_type(kind: HighlightKind) -> u32 {
    match kind {
        HighlightKind::Keyword => 0,
        HighlightKind::Function => 1,
        HighlightKind::Table => 2,
        HighlightKind::Name => 3,
        HighlightKind::Text => 4,
        HighlightKind::Number => 5,
        HighlightKind::Comment => 6,
        HighlightKind::Operator => 7,
        HighlightKind::Parameter => 8,
    }
}
