use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use flockscope_client::{Loaded, Located, Progress, load, locate, project_store};
use flockscope_redaction::Redactor;
use flockscope_render::Style;
use flockscope_sources::SpanSource;
use flockscope_store::{Ingested, Settings, Store};
use indicatif::HumanCount;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Failure, printable};
use crate::output::{FactsOutput, Format, Output};
use crate::progress::Bar;
use crate::traces::Kept;

/// Read traces from files into a store: Flock, OTLP, Jaeger, Parquet, another store
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope import collector/*.jsonl
  flockscope import old-project/.flock/traces.duckdb jaeger.json --into all.duckdb

Secrets are made unreadable as the settings say (flockscope config). A process that keeps the store is given the spans.")]
pub(crate) struct Import {
    /// Files, and folders of Parquet files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The store; made if it is not there. Default: that of --db, else of the project, else .flockscope/store.duckdb here
    #[arg(long, value_name = "STORE")]
    into: Option<PathBuf>,
    #[command(flatten)]
    output: FactsOutput,
}

/// What became of one file: the contract of `--format json`.
#[derive(Serialize)]
struct Imported {
    file: String,
    #[serde(flatten)]
    loaded: Loaded,
}

impl Import {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        // Before the store is opened: a source must not be a file that this process holds.
        let target = target(context, self.into.as_deref())?;
        for file in &self.files {
            if is_same(file, &target) {
                return Err(Failure::Usage(format!("{} is the store itself", file.display())));
            }
            flockscope_sources::detect(file)?;
        }
        let mut store = Target::open(context, &target)?;
        let mut all = Vec::new();
        for file in self.files {
            let mut bar = Bar::new("importing", context.quiet());
            let mut source = flockscope_sources::open(&file)?;
            let loaded = store.load(source.as_mut(), &mut |progress| bar.show(progress));
            drop(bar);
            // A file that breaks off in the middle has given what came before; the rest of the files is left.
            let loaded =
                loaded.inspect_err(|_| context.note(&format!("note: importing stopped at {}", file.display())))?;
            all.push(Imported {
                file: file.display().to_string(),
                loaded,
            });
        }
        let output = Output::from(self.output);
        let content = if output.format == Format::Json {
            serde_json::to_string_pretty(&all).map_err(|error| Failure::Failed(error.to_string()))? + "\n"
        } else {
            text(&all, &target, context.style())
        };
        output.write(content.as_bytes())
    }
}

/// Where the spans go.
enum Target {
    /// A store that is opened here.
    Opened(Box<Store>, Arc<Redactor>),
    /// A store that another process keeps: it is given the spans.
    Kept(Kept),
}

impl Target {
    fn open(context: &Context, store: &Path) -> Result<Self, Failure> {
        let located = Located::Store { file: store.to_owned() };
        if let Some(kept) = context.kept(&located)? {
            return Ok(Self::Kept(kept));
        }
        let redactor = context.opening(&located)?.redactor;
        Ok(Self::Opened(
            Box::new(Store::open(store, Settings::default())?),
            redactor,
        ))
    }

    fn load(&mut self, source: &mut dyn SpanSource, progress: &mut dyn FnMut(Progress)) -> Result<Loaded, Failure> {
        match self {
            Self::Opened(store, redactor) => Ok(load(store, source, redactor, progress)?),
            Self::Kept(kept) => {
                let mut loaded = Loaded::default();
                while let Some(spans) = source.next_batch(&mut loaded.report)? {
                    let taken = kept.run(async |connection| Ok(connection.store(spans).await?))?;
                    loaded.ingested += Ingested {
                        stored: taken.stored,
                        replaced: taken.replaced,
                    };
                    progress(Progress {
                        spans: loaded.ingested.stored,
                        done_of: source.progress().map(|progress| (progress.done, progress.total)),
                    });
                }
                Ok(loaded)
            }
        }
    }
}

/// The store that is meant: the one named, that of `--db`, or that of the project.
pub(super) fn target(context: &Context, into: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = into {
        return Ok(path.to_owned());
    }
    let here = Context::working_directory()?;
    match context.given() {
        Some(path) if !path.exists() => Ok(path.to_owned()),
        Some(path) => match locate(&here, Some(path))? {
            Located::Flock { store, .. } => Ok(store),
            Located::Store { file } => Ok(file),
            Located::Files { path } => Err(Failure::Usage(format!(
                "{} is not a store; name one with --into",
                path.display()
            ))),
        },
        None => Ok(project_store(&here)?),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn text(all: &[Imported], target: &Path, style: Style) -> String {
    let mut out = String::new();
    for imported in all {
        let Loaded { report, ingested } = &imported.loaded;
        let _ = write!(out, "{}: {}", printable(&imported.file), counts(report.read, *ingested));
        let _ = match report.skipped_total() {
            0 => writeln!(out),
            skipped => writeln!(out, ", {} left out", HumanCount(skipped)),
        };
        for (reason, count) in &report.skipped {
            let _ = writeln!(out, "  {} left out: {reason}", HumanCount(*count));
        }
        for (repair, count) in &report.repaired {
            let _ = writeln!(out, "  {} mended: {repair}", HumanCount(*count));
        }
        for note in &report.notes {
            let _ = writeln!(
                out,
                "  {}",
                shortened(&printable(note).replace('\n', " "), style.width.saturating_sub(2))
            );
        }
    }
    if all.len() > 1 {
        let read = all.iter().map(|imported| imported.loaded.report.read).sum();
        let mut ingested = Ingested::default();
        for imported in all {
            ingested += imported.loaded.ingested;
        }
        let _ = writeln!(out, "{} files: {}", all.len(), counts(read, ingested));
    }
    let _ = writeln!(out, "The store is {}; ask it with --db {0}", target.display());
    out
}

fn counts(read: u64, ingested: Ingested) -> String {
    let mut text = format!(
        "{} spans read, {} stored",
        HumanCount(read),
        HumanCount(ingested.stored)
    );
    if ingested.replaced > 0 {
        let _ = write!(
            text,
            ", {} of them in place of earlier ones",
            HumanCount(ingested.replaced)
        );
    }
    text
}

fn shortened(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
