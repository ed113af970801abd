//! How long an answer takes: `cargo run --release -p flockscope-sql --example answer_speed`.
//!
//! Reads the tasks of the ranking's test, and prints p50 and p99 of completion for each alone and in the middle of a
//! megabyte of other statements.

use std::time::{Duration, Instant};

use flockscope_sql::catalog::{AttributeKey, Carrier, Contents, Value};
use flockscope_sql::{Catalog, complete, hover};

const TASKS: &str = include_str!("../tests/data/tasks.txt");

fn main() {
    let catalog = catalog();
    let filler = "SELECT service, 'it''s' FROM spans WHERE name = \"x\" -- ;\n;\n".repeat(8_000);
    let mut alone = Vec::new();
    let mut among_others = Vec::new();
    let mut hovers = Vec::new();
    for round in 0..5 {
        for (_, fixture) in TASKS.lines().filter_map(|line| line.split_once('\t')) {
            let Some(offset) = fixture.find("$0") else { continue };
            let text = fixture.replacen("$0", "", 1);
            let started = Instant::now();
            let found = complete(&catalog, &text, offset);
            alone.push(started.elapsed());
            std::hint::black_box(found);
            let started = Instant::now();
            std::hint::black_box(hover(&catalog, &text, offset.saturating_sub(1)));
            hovers.push(started.elapsed());
            if round == 0 {
                let long = format!("{filler}{text};{filler}");
                let started = Instant::now();
                std::hint::black_box(complete(&catalog, &long, filler.len() + offset));
                among_others.push(started.elapsed());
            }
        }
    }
    print("completion", alone);
    print("hover", hovers);
    print("completion in a megabyte", among_others);
}

/// 2,000 keys, each with 50 values and 20 carriers: more than any real store has.
fn catalog() -> Catalog {
    let mut contents = Contents::clone(&Catalog::builtin());
    for number in 0..2_000_u64 {
        contents.attribute_keys.push(AttributeKey {
            key: format!("group{}.key{number}", number % 40),
            column: "attributes".into(),
            json_type: "VARCHAR".into(),
            spans: 1_000_000 - number,
            share: 0.1,
            carriers: (0..20)
                .map(|carrier| Carrier {
                    service: format!("Service{carrier}"),
                    operation: "execute".into(),
                    spans: 10,
                })
                .collect(),
            values: (0..50)
                .map(|value| Value {
                    text: format!("value {value}"),
                    count: value,
                })
                .collect(),
        });
    }
    Catalog::new(contents)
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| {
        times
            .get((times.len() as f64 * share) as usize)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{what}: p50 {:?}, p99 {:?}, slowest {:?}",
        at(0.5),
        at(0.99),
        times.last().copied().unwrap_or_default()
    );
}
