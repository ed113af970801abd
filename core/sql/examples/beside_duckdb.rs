//! Completion beside DuckDB's own, on the tasks of the ranking's test:
//! `cargo run --release -p flockscope-sql --example beside_duckdb -- PATH/TO/duckdb`.
//!
//! The program is DuckDB's command line with its extension `autocomplete`. It gets the tables and analyses of a store, and
//! is asked `sql_auto_complete` about the text before the cursor, which is all that it looks at. A wanted item of several
//! words counts as offered when its first word is. Times are of this process, and what DuckDB says of processor time.

use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flockscope_sql::{Catalog, complete};
use serde::Deserialize;

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/engine/support.rs"]
mod support;

const TASKS: &str = include_str!("../tests/data/tasks.txt");

const ROUNDS: usize = 5;

/// What separates the answers of two tasks.
const MARK: &str = "=====";

#[derive(Deserialize)]
struct Suggestion {
    suggestion: String,
}

struct Task {
    wanted: &'static str,
    text: String,
    offset: usize,
}

/// How well the tasks were solved.
#[derive(Default)]
struct Score {
    tasks: usize,
    offered: usize,
    reciprocal_ranks: f64,
}

impl Score {
    fn add(&mut self, place: Option<usize>) {
        self.tasks += 1;
        if let Some(place) = place {
            self.offered += 1;
            self.reciprocal_ranks += 1.0 / (place + 1) as f64;
        }
    }

    fn words(&self) -> String {
        let tasks = self.tasks.max(1) as f64;
        format!(
            "{:.1} % offered, mean reciprocal rank {:.3}",
            self.offered as f64 / tasks * 100.0,
            self.reciprocal_ranks / tasks
        )
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let program = std::env::args()
        .nth(1)
        .ok_or("the path of DuckDB's program is needed")?;
    let tasks: Vec<Task> = TASKS
        .lines()
        .filter_map(|line| {
            let (wanted, fixture) = line.split_once('\t')?;
            Some(Task {
                wanted,
                text: fixture.replacen("$0", "", 1),
                offset: fixture.find("$0")?,
            })
        })
        .collect();
    let version = Command::new(&program).arg("--version").output()?;
    println!(
        "{} tasks; DuckDB {}",
        tasks.len(),
        String::from_utf8_lossy(&version.stdout).trim()
    );
    let ours = ours(&tasks);
    let theirs = theirs(&program, &tasks)?;
    for (name, (places, times)) in [("this engine", ours), ("sql_auto_complete", theirs)] {
        let (mut all, mut words) = (Score::default(), Score::default());
        for (task, place) in tasks.iter().zip(&places) {
            all.add(*place);
            // Values and keys of a store, which DuckDB does not offer at all.
            if !task.wanted.starts_with('\'') {
                words.add(*place);
            }
        }
        println!("{name}: {}", all.words());
        println!("  without literals ({} tasks): {}", words.tasks, words.words());
        println!("  {}", percentiles(&times, tasks.len()));
    }
    Ok(())
}

type Outcome = (Vec<Option<usize>>, Vec<Duration>);

fn ours(tasks: &[Task]) -> Outcome {
    let catalog = support::catalog();
    let mut times = Vec::new();
    let mut places = Vec::new();
    for round in 0..ROUNDS {
        for task in tasks {
            let begun = Instant::now();
            let found = complete(catalog, &task.text, task.offset);
            times.push(begun.elapsed());
            if round == 0 {
                let mut items = found.items;
                items.sort_by(|a, b| a.sort_text.cmp(&b.sort_text));
                places.push(items.iter().position(|item| support::is_wanted(item, task.wanted)));
            }
        }
    }
    (places, times)
}

fn theirs(program: &str, tasks: &[Task]) -> Result<Outcome, Box<dyn Error>> {
    let mut script = format!("{}\n.mode jsonlines\n.timer on\n", schema(support::catalog()));
    for _ in 0..ROUNDS {
        for task in tasks {
            let before = task.text.get(..task.offset).unwrap_or_default().replace('\'', "''");
            script.push_str(&format!(".print {MARK}\nFROM sql_auto_complete('{before}');\n"));
        }
    }
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no input")?;
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the script could not be written")??;
    let text = String::from_utf8(output.stdout)?;
    let mut times = Vec::new();
    let mut places = Vec::new();
    for (number, answer) in text.split(MARK).skip(1).enumerate() {
        let suggestions: Vec<Suggestion> = answer
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let time = answer.lines().find(|line| line.starts_with("Run Time"));
        times.push(processor_time(time.ok_or("no time was told")?).ok_or("the time can't be read")?);
        if let Some(task) = tasks.get(number) {
            places.push(
                suggestions
                    .iter()
                    .position(|one| is_wanted(&one.suggestion, task.wanted)),
            );
        }
    }
    if times.len() != ROUNDS * tasks.len() {
        return Err(format!("{} answers, {} were expected", times.len(), ROUNDS * tasks.len()).into());
    }
    Ok((places, times))
}

fn is_wanted(suggestion: &str, wanted: &str) -> bool {
    let suggestion = suggestion.trim().trim_matches('"');
    suggestion.eq_ignore_ascii_case(wanted)
        || wanted
            .split(' ')
            .next()
            .is_some_and(|first| suggestion.eq_ignore_ascii_case(first))
}

/// `Run Time (s): real 0.004 user 0.004154 sys 0.000000`: the last two are exact.
fn processor_time(line: &str) -> Option<Duration> {
    let mut words = line.split(' ').skip_while(|word| *word != "user").skip(1);
    let user: f64 = words.next()?.parse().ok()?;
    let system: f64 = words.nth(1)?.parse().ok()?;
    Some(Duration::from_secs_f64(user + system))
}

/// The tables and analyses of a store, without rows.
fn schema(catalog: &Catalog) -> String {
    let mut statements = String::new();
    for relation in &catalog.relations {
        let columns: Vec<String> = relation
            .columns
            .iter()
            .map(|column| format!("\"{}\" {}", column.name, column.data_type))
            .collect();
        statements.push_str(&format!(
            "CREATE TABLE \"{}\" ({});\n",
            relation.name,
            columns.join(", ")
        ));
    }
    for table in &catalog.macros {
        let parameters: Vec<String> = table
            .parameters
            .iter()
            .map(|parameter| match parameter.required {
                true => parameter.name.clone(),
                false => format!("{} := NULL", parameter.name),
            })
            .collect();
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("NULL AS \"{}\"", column.name))
            .collect();
        statements.push_str(&format!(
            "CREATE MACRO {}({}) AS TABLE SELECT {};\n",
            table.name,
            parameters.join(", "),
            columns.join(", ")
        ));
    }
    statements
}

/// Of the best round of each task: the machine may have other work.
fn percentiles(times: &[Duration], tasks: usize) -> String {
    let best = |task: usize| times.iter().skip(task).step_by(tasks).min().copied();
    let mut times: Vec<Duration> = (0..tasks).filter_map(best).collect();
    times.sort();
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times.get(place).copied().unwrap_or_default()
    };
    format!("time p50 {:?}, p99 {:?}", at(0.5), at(0.99))
}
