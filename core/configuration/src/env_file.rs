//! Variables in a `.env` file.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use crate::sources::{is_relevant, read_file};

/// Largest file in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Largest file in bytes that gives a variable of ours, and longest value. A value may name others (`${NAME}`), so that
/// a small file can grow to any size.
const MOST_PARSED: usize = 64 << 10;
const MOST_VALUE: usize = 8 << 10;

/// The variables of a file. The last line of each counts. A line that is none, such as one of a shell's, is no concern
/// of ours unless it gives a variable that is.
///
/// An error says what is wrong with the file, and shows nothing of its content.
pub(crate) fn variables(file: &Path) -> Result<BTreeMap<String, String>, String> {
    let bytes = read_file(file, MOST_BYTES)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}');
    let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
    for name in text.lines().filter_map(given) {
        *expected.entry(name).or_default() += 1;
    }
    let mut variables = BTreeMap::new();
    if expected.is_empty() {
        return Ok(variables);
    }
    if text.len() > MOST_PARSED {
        return Err(format!("is larger than {} KiB", MOST_PARSED >> 10));
    }
    let mut has_broken_line = false;
    for line in dotenvy::from_read_iter(Cursor::new(text)) {
        match line {
            Ok((_, value)) if value.len() > MOST_VALUE => {
                return Err(format!("has a value of more than {} KiB", MOST_VALUE >> 10));
            }
            Ok((name, value)) => {
                if let Some(times) = expected.get_mut(name.as_str()) {
                    *times = times.saturating_sub(1);
                }
                variables.insert(name, value);
            }
            Err(dotenvy::Error::LineParse(..)) => has_broken_line = true,
            Err(_) => return Err("can't be read".into()),
        }
    }
    // A broken line may swallow those behind it, so what is missing tells more than what the error holds.
    match expected.iter().find(|(_, times)| **times > 0) {
        Some((name, _)) if has_broken_line => Err(format!(
            "gives {name} in a line that can't be read: a quote is not closed, there or before, or a value with spaces \
             is not quoted"
        )),
        _ => Ok(variables),
    }
}

/// The variable that a line gives, if it is one of a setting, of Flock, or looks like one.
fn given(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("export").map_or(line, str::trim_start);
    let name = line.split_once('=')?.0.trim_end();
    is_relevant(name).then_some(name)
}
