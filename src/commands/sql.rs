use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use flockscope_client::{column_names, row_texts};
use flockscope_render::{csv, html, text};
use flockscope_store::Limits;

use crate::answer;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Output, TableOutput};
use crate::time;

/// One read-only SQL statement over the table spans and the analyses
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope sql \"SELECT service, count(*) AS spans FROM spans GROUP BY ALL ORDER BY spans DESC\"
  flockscope sql \"FROM red(group_by := 'agent') WHERE errors > 0\" --format json
  flockscope sql --file slow.sql --rows 100000 --format csv --output slow.csv
  flockscope sql \"DESCRIBE spans\"

flockscope analyses lists the analyses; attributes are read with attributes->>'output.type'.")]
pub(crate) struct Sql {
    /// The statement; - reads it from stdin
    #[arg(value_name = "QUERY", required_unless_present = "file", conflicts_with = "file")]
    query: Option<String>,
    /// Read the statement from this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// So many rows at the most
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    rows: usize,
    /// Stop the query after this time
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = time::duration)]
    time: Duration,
    #[command(flatten)]
    output: TableOutput,
}

/// What a person should know of an answer of so many rows that was cut.
fn cut(shown: usize, most: usize) -> String {
    let count = indicatif::HumanCount(shown as u64);
    if shown >= most {
        format!("{count} rows shown, there are more (--rows N allows more)")
    } else {
        format!(
            "{count} rows shown, there are more: the answer is as large as it may be (sql.answer_size); select fewer \
             columns, or narrow it by a WHERE"
        )
    }
}

impl Sql {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let query = self.read()?;
        let traces = context.traces()?;
        let limits = Limits {
            rows: self.rows,
            time: self.time,
            ..Limits::default()
        };
        let answer = traces.sql(&query, &limits).map_err(|error| match error {
            error if error.is_timeout() => Failure::Failed(format!(
                "the query ran longer than {} s and was stopped; narrow it, for example by a WHERE on start_time, or allow more with --time",
                self.time.as_secs_f64()
            )),
            error => error.into(),
        })?;
        let output = Output::from(self.output);
        let unwritable = |error| Failure::Failed(format!("the answer can't be written in this form: {error}"));
        let names = || column_names(&answer);
        let texts = || row_texts(&answer).map_err(unwritable);
        match output.format {
            Format::Text => output.write(text::answer(&names(), &texts()?, None, &output.style(context)).as_bytes())?,
            Format::Json => output.write(answer::json(&answer).map_err(unwritable)?.as_bytes())?,
            Format::Csv => output.write(csv::answer(&names(), &texts()?).as_bytes())?,
            Format::Html | Format::Svg => {
                output.write(html::page("SQL", &html::answer(&names(), &texts()?, None)).as_bytes())?;
            }
            Format::Arrow => output.arrow(&answer.schema, &answer.batches)?,
        }
        if answer.cut {
            context.note(&format!("note: {}", cut(answer.row_count(), self.rows)));
        }
        Ok(())
    }

    fn read(&self) -> Result<String, Failure> {
        let of_file = |file: &PathBuf| {
            fs::read_to_string(file).map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))
        };
        match (&self.file, self.query.as_deref()) {
            (Some(file), _) => of_file(file),
            (None, Some("-")) => {
                let mut query = String::new();
                std::io::stdin()
                    .read_to_string(&mut query)
                    .map_err(|error| Failure::Failed(format!("stdin: {error}")))?;
                Ok(query)
            }
            (None, query) => Ok(query.unwrap_or_default().to_owned()),
        }
    }
}
