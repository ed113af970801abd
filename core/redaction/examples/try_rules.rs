//! Reads JSON objects, one a line, from the standard input, and prints what the default rules make of each one that
//! they change, and how long a line took (the median). Run it with `--release`.

use std::io::{self, BufRead};
use std::time::Instant;

use flockscope_model::{NewSpan, Span};
use flockscope_redaction::{Redactor, Rules};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let redactor = Redactor::new(&Rules::default())?;
    let (mut bytes, mut values, mut times) = (0, 0, Vec::new());
    for line in io::stdin().lock().lines() {
        let found = NewSpan {
            trace_id: "1".into(),
            span_id: "1".into(),
            start_time: 1,
            end_time: 1,
            attributes: line?,
            ..NewSpan::default()
        };
        let mut span = Span::new(found, |_| {}).map_err(|reason| reason.to_string())?;
        bytes += span.attributes.len();
        let start = Instant::now();
        let redacted = redactor.redact(&mut span);
        times.push(start.elapsed().as_secs_f64() * 1e6);
        values += redacted;
        if redacted > 0 {
            println!("{redacted}: {}", span.attributes);
        }
    }
    times.sort_by(f64::total_cmp);
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    println!(
        "{} lines, {bytes} bytes, {values} values redacted, {middle:.1} µs a line",
        times.len()
    );
    Ok(())
}
