use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use flockscope_client::{Loader, Progress};
use flockscope_generator::{Generator, Settings as Wanted, Shape};
use flockscope_store::{Settings, Store};
use indicatif::HumanCount;

use crate::context::Context;
use crate::failure::Failure;
use crate::progress::Bar;
use crate::time;

/// Spans that are made at a time.
const BATCH: usize = 10_000;

/// Make synthetic spans shaped like real ones, for trying and measuring
#[derive(Args)]
#[command(after_help = "\
Example:
  flockscope generate --spans 1000000 --shape lean --into synthetic.duckdb")]
pub(crate) struct Generate {
    /// How many spans
    #[arg(long, value_name = "N")]
    spans: u64,
    /// How much each span carries
    #[arg(long, value_enum, default_value_t, value_name = "SHAPE")]
    shape: SpanShape,
    /// The same seed gives the same spans
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// When the first trace starts, as for --since of other commands; default: 2026-11-23
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    start: Option<i64>,
    /// Over which time the traces start
    #[arg(long, default_value = "1d", value_name = "DURATION", value_parser = time::duration)]
    over: Duration,
    /// Each span by itself is an error with this chance, 0 to 1; default: the agents fail as in the real sample
    #[arg(long, value_name = "SHARE")]
    error_rate: Option<f64>,
    /// Every trace has exactly so many spans; default: all sizes, as in the real sample
    #[arg(long, value_name = "N")]
    spans_per_trace: Option<usize>,
    /// The store that they are added to; made if it is not there
    #[arg(long, value_name = "STORE")]
    into: PathBuf,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum SpanShape {
    /// Attributes as Flock writes them, about 3.5 KB a span
    #[default]
    Full,
    /// The attributes that analyses read, about 300 bytes a span
    Lean,
}

impl Generate {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let defaults = Wanted::default();
        let wanted = Wanted {
            spans: self.spans,
            seed: self.seed,
            shape: match self.shape {
                SpanShape::Full => Shape::Full,
                SpanShape::Lean => Shape::Lean,
            },
            start_time: self.start.unwrap_or(defaults.start_time),
            span_of_time: self.over,
            error_rate: self.error_rate,
            spans_per_trace: self.spans_per_trace,
            ..defaults
        };
        let mut generator = Generator::new(wanted).map_err(|error| Failure::Usage(error.to_string()))?;
        let store = Store::open(&self.into, Settings::default())?;
        let mut bar = Bar::new("generating", context.quiet());
        let mut loader = Loader::default();
        let mut made = 0;
        while let Some(spans) = generator.next_batch(BATCH) {
            made += spans.len() as u64;
            loader.add(&store, spans)?;
            bar.show(Progress {
                spans: made,
                done_of: Some((made, self.spans)),
            });
        }
        loader.flush(&store)?;
        drop(bar);
        context.note(&format!(
            "{} spans in {}; ask it with --db {1}",
            HumanCount(made),
            self.into.display()
        ));
        Ok(())
    }
}
