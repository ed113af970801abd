//! The traced functions of a workspace and of a file, as symbols with their figures.

use async_lsp::lsp_types::{DocumentSymbol, Location, Position, Range, SymbolInformation, SymbolKind, Url};
use flockscope_functions::{Function, Traced};

use crate::lens::percentile;
use crate::positions::range;
use crate::server::Server;
use crate::words;

/// Functions that are looked through for traced ones, and symbols that are shown.
const MOST_SEARCHED: usize = 2_000;
const MOST_SHOWN: usize = 200;

impl Server {
    /// Traced functions whose names hold these letters, the best first.
    #[allow(deprecated, reason = "the type has a field that is, and no other way to be made")]
    pub(crate) fn workspace_symbols(&mut self, query: &str) -> Vec<SymbolInformation> {
        self.match_anew();
        let named = self.workspace.named(query, MOST_SEARCHED);
        let found = named.iter().filter_map(|function| {
            let start = Position::new(function.definition.line, 0);
            Some(SymbolInformation {
                name: function.qualified_name.clone(),
                kind: kind(function),
                tags: None,
                deprecated: None,
                location: Location::new(
                    Url::from_file_path(function.path).ok()?,
                    // The text is not at hand, and lines are all that one goes to.
                    Range::new(start, start),
                ),
                container_name: Some(self.in_short(function)?),
            })
        });
        found.take(MOST_SHOWN).collect()
    }

    /// The traced functions of a source file, in its order.
    #[allow(deprecated, reason = "the type has a field that is, and no other way to be made")]
    pub(crate) fn code_symbols(&mut self, url: &Url) -> Option<Vec<DocumentSymbol>> {
        let path = self.up_to_date(url)?;
        let document = self.documents.get(url)?;
        let functions = self.workspace.functions(&path);
        let symbols = functions.iter().filter_map(|function| {
            Some(DocumentSymbol {
                name: function.qualified_name.clone(),
                detail: Some(self.in_short(function)?),
                kind: kind(function),
                tags: None,
                deprecated: None,
                range: range(&document.lines, &function.definition.range, self.encoding),
                selection_range: range(&document.lines, &function.definition.name_range, self.encoding),
                children: None,
            })
        });
        Some(symbols.collect())
    }

    /// Figures in a few words; none for a function that is not traced.
    fn in_short(&self, function: &Function<'_>) -> Option<String> {
        match self.figures.of(function.id, &self.matches) {
            Some(figures) => Some(format!(
                "{} · p95 {}",
                words::counted(figures.calls, "call", "calls"),
                percentile(figures.percentile(|row| row.p95_ms))
            )),
            None => function
                .traced
                .as_ref()
                .is_some_and(Traced::is_whole)
                .then(|| crate::lens::NEVER.to_owned()),
        }
    }
}

fn kind(function: &Function<'_>) -> SymbolKind {
    match function.class {
        Some(_) => SymbolKind::METHOD,
        None => SymbolKind::FUNCTION,
    }
}
