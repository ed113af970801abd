use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use flate2::read::GzDecoder;
use flockscope_client::{Options, cache_folder, locate};
use flockscope_model::rows::TraceRow;
use flockscope_render::{Style, TimelineOptions, tables, text};
use flockscope_store::{GroupBy, Level, Store, Window};
use indicatif::HumanCount;

use super::red::beginning;
use crate::context::Context;
use crate::failure::Failure;

/// Real traces of a Flock program: a help desk of five agents, 6,797 spans, as Flock 0.5.7 wrote them.
const SAMPLE: &[u8] = include_bytes!("../../tests/data/traces.duckdb.gz");

/// Show all of it on real traces that come with the program
#[derive(Args)]
#[command(after_help = "\
Example:
  flockscope demo")]
pub(crate) struct Demo {}

impl Demo {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let folder = unpack()?;
        let opened = context.open_located(&locate(&folder, Some(&folder))?, Options::default())?;
        let mut stdout = std::io::stdout().lock();
        let story = story(&opened.store, &folder, &context.style())?;
        stdout
            .write_all(story.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(Failure::writing)
    }
}

/// Puts the sample where it stays, as a project of its own, so that the commands named at the end work.
fn unpack() -> Result<PathBuf, Failure> {
    let folder = cache_folder()?.join("demo");
    let file = folder.join(".flock").join("traces.duckdb");
    let failed = |error: std::io::Error| Failure::Failed(format!("{}: {error}", file.display()));
    let mut content = Vec::new();
    GzDecoder::new(SAMPLE).read_to_end(&mut content).map_err(failed)?;
    // A file that is the same is left alone: its store stays valid.
    if fs::read(&file).is_ok_and(|found| found == content) {
        return Ok(folder);
    }
    fs::create_dir_all(folder.join(".flock")).map_err(failed)?;
    // Under another name first, so that no other demo sees half of it.
    let partial = folder
        .join(".flock")
        .join(format!("traces.duckdb.{}", std::process::id()));
    fs::write(&partial, content)
        .and_then(|()| fs::rename(&partial, &file))
        .map_err(failed)?;
    Ok(folder)
}

fn story(store: &Store, folder: &Path, style: &Style) -> Result<String, Failure> {
    let all = Window::default();
    let facts = store.statistics()?;
    let traces = store.traces(all, None)?;
    let chosen = interesting(&traces)
        .map(|trace| trace.trace_id.clone())
        .unwrap_or_default();
    let db = format!("--db {}", shell_word(&folder.to_string_lossy()));
    let heading = |title: &str, command: &str| format!("\n## {title}\n   flockscope {command}\n\n");
    let mut out = format!(
        "These are real traces: a help desk of {} agents, written by Flock to .flock/traces.duckdb. {} spans, {} traces,\n\
         {} errors. Below each title stands the command that shows the same.\n",
        facts.agents,
        HumanCount(facts.spans.unsigned_abs()),
        facts.traces,
        facts.errors
    );
    let short = chosen.get(..8).unwrap_or(&chosen);
    out += &heading("One trace, from agent to agent", &format!("timeline {short} {db}"));
    out += &text::timeline(&store.timeline(&chosen)?, &TimelineOptions::default(), style);
    out += &heading("Where the time goes", &format!("red --limit 12 {db}"));
    let red = tables::red(&store.red(GroupBy::Operation, all, None)?, &[]);
    out += &text::table(&beginning(red, Some(12)), style);
    out += &heading("Which agent called which", &format!("deps --level agent {db}"));
    out += &text::dependencies(&store.dependencies(Level::Agent, all)?, style);
    out += &heading("What decided when the traces ended", &format!("critical {db}"));
    let critical = tables::critical_path(&store.critical_path(all)?);
    out += &text::table(&beginning(critical, Some(8)), style);
    out += &format!(
        "\n## And now\n\
         On these traces:\n\
         \x20  flockscope exceptions {db}\n\
         \x20  flockscope sql \"FROM red(group_by := 'agent')\" {db}\n\
         \x20  flockscope timeline slowest {db} --format html --output trace.html\n\
         On your own: run your Flock program with FLOCK_AUTO_TRACE=true FLOCK_TRACE_FILE=true, and in the same folder:\n\
         \x20  flockscope watch             new spans, as they come\n\
         \x20  flockscope red --since 15m   the last quarter of an hour\n\
         \x20  flockscope --help            everything else\n"
    );
    Ok(out)
}

/// A trace that shows what there is to see on the fewest lines: an error, and work handed from agent to agent.
fn interesting(traces: &[TraceRow]) -> Option<&TraceRow> {
    traces.iter().max_by_key(|trace| {
        let agents = trace.agents.len();
        (trace.errors > 0 && agents > 1, agents, std::cmp::Reverse(trace.spans))
    })
}

/// A path as one word for a shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '~' | ':' | '\\');
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_shown_has_several_agents_an_error_and_few_spans() {
        let trace = |id: &str, spans, errors, agents: &[&str]| TraceRow {
            trace_id: id.into(),
            spans,
            errors,
            agents: agents.iter().map(ToString::to_string).collect(),
            ..TraceRow::default()
        };
        let traces = [
            trace("large", 400, 3, &["a", "b"]),
            trace("good", 90, 1, &["a", "b"]),
            trace("sound", 50, 0, &["a", "b", "c"]),
            trace("alone", 50, 1, &["a"]),
        ];
        assert_eq!(interesting(&traces).map(|trace| trace.trace_id.as_str()), Some("good"));
    }

    #[test]
    fn a_path_with_blanks_stays_one_word() {
        assert_eq!(shell_word("/home/a/x.duckdb"), "/home/a/x.duckdb");
        assert_eq!(shell_word("/home/it's me"), "'/home/it'\\''s me'");
    }
}
