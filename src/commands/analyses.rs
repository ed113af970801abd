use std::fmt::Write as _;

use clap::Args;
use flockscope_analytics::Analysis;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{FactsOutput, Format, Output};

/// The analyses that SQL can call, with their parameters and columns
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope analyses
  flockscope analyses red")]
pub(crate) struct Analyses {
    /// Show all about this one
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    output: FactsOutput,
}

/// The contract of `--format json`.
#[derive(Serialize)]
struct Described<'a> {
    name: &'a str,
    summary: &'a str,
    details: &'a str,
    parameters: Vec<Entry<'a>>,
    columns: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    data_type: &'a str,
    meaning: &'a str,
}

impl Analyses {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let chosen: Vec<&Analysis> = match &self.name {
            Some(name) => vec![flockscope_analytics::find(name).ok_or_else(|| unknown(name))?],
            None => flockscope_analytics::all().iter().collect(),
        };
        let output = Output::from(self.output);
        let content = if output.format == Format::Json {
            let all: Vec<Described<'_>> = chosen.into_iter().map(described).collect();
            serde_json::to_string_pretty(&all).map_err(|error| Failure::Failed(error.to_string()))? + "\n"
        } else if self.name.is_some() {
            chosen
                .into_iter()
                .map(|analysis| documentation(analysis, context))
                .collect()
        } else {
            list(&chosen, context.style().width)
        };
        output.write(content.as_bytes())
    }
}

fn unknown(name: &str) -> Failure {
    let names: Vec<&str> = flockscope_analytics::all()
        .iter()
        .map(|analysis| analysis.name)
        .collect();
    Failure::NothingFound(format!("there is no analysis {name}; there are: {}", names.join(", ")))
}

fn described(analysis: &Analysis) -> Described<'_> {
    Described {
        name: analysis.name,
        summary: &analysis.summary,
        details: &analysis.details,
        parameters: analysis
            .parameters
            .iter()
            .map(|parameter| entry(&parameter.name, &parameter.data_type, &parameter.meaning))
            .collect(),
        columns: analysis
            .columns
            .iter()
            .map(|column| entry(&column.name, &column.data_type, &column.meaning))
            .collect(),
    }
}

fn entry<'a>(name: &'a str, data_type: &'a str, meaning: &'a str) -> Entry<'a> {
    Entry {
        name,
        data_type,
        meaning,
    }
}

fn list(analyses: &[&Analysis], width: usize) -> String {
    let names = analyses.iter().map(|analysis| analysis.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for analysis in analyses {
        let summary = wrapped(&analysis.summary, width.saturating_sub(names + 2).max(20));
        let summary = summary.replace('\n', &format!("\n{:names$}  ", ""));
        let _ = writeln!(out, "{:names$}  {summary}", analysis.name);
    }
    out.push_str("\nflockscope analyses NAME shows the parameters and columns of one.\n");
    out
}

fn documentation(analysis: &Analysis, context: &Context) -> String {
    let width = context.style().width;
    let mut out = String::new();
    let described = described(analysis);
    for paragraph in [analysis.summary.as_str()]
        .into_iter()
        .chain(analysis.details.split("\n\n"))
    {
        if !paragraph.is_empty() {
            let _ = writeln!(out, "{}\n", wrapped(paragraph, width));
        }
    }
    for (title, entries) in [("Parameters", described.parameters), ("Columns", described.columns)] {
        let names = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
        let types = entries.iter().map(|entry| entry.data_type.len()).max().unwrap_or(0);
        if !entries.is_empty() {
            let _ = writeln!(out, "{title}:");
        }
        for Entry {
            name,
            data_type,
            meaning,
        } in entries
        {
            let _ = writeln!(out, "  {name:names$}  {data_type:types$}  {meaning}");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "Try it: flockscope sql \"FROM {}() LIMIT 10\"", analysis.name);
    out
}

/// Breaks a paragraph at blanks.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, String::len);
        if line > 0 && line + 1 + word.len() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}
