//! How far up the wanted item stands, over tasks taken from real analyses.

use crate::support::{completions, is_wanted};

/// `wanted item`, tab, statement with the cursor.
const TASKS: &str = include_str!("../data/tasks.txt");

/// The mean reciprocal rank that was reached, less a little.
const FLOOR: f64 = 0.945;

#[test]
fn the_wanted_item_stands_at_the_top() {
    let tasks: Vec<(&str, &str)> = TASKS.lines().filter_map(|line| line.split_once('\t')).collect();
    assert!(tasks.len() >= 150, "{} tasks", tasks.len());
    let mut sum = 0.0;
    let mut first = 0;
    let mut missed = Vec::new();
    for (wanted, fixture) in &tasks {
        let items = completions(fixture).items;
        match items.iter().position(|item| is_wanted(item, wanted)) {
            Some(0) => {
                sum += 1.0;
                first += 1;
            }
            Some(place) => {
                sum += 1.0 / (place + 1) as f64;
                let above: Vec<&str> = items
                    .iter()
                    .take(place.min(4))
                    .map(|item| item.label.as_str())
                    .collect();
                missed.push(format!("{:>3}  {wanted}  {fixture}  below {above:?}", place + 1));
            }
            None => missed.push(format!("  -  {wanted}  {fixture}")),
        }
    }
    let mean = sum / tasks.len() as f64;
    println!(
        "mean reciprocal rank {mean:.4} over {} tasks, {first} first",
        tasks.len()
    );
    assert!(
        mean >= FLOOR,
        "mean reciprocal rank {mean:.4} < {FLOOR}\n{}",
        missed.join("\n")
    );
}
