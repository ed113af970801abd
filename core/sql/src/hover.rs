//! What the word at the cursor means.

use crate::catalog::Value;

/// A text as code in Markdown, whatever is in it.
pub(crate) fn code(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(120).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    // One backtick more than the text has in a row.
    let mut longest = 0;
    let mut run = 0;
    for letter in short.chars() {
        run = if letter == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    if longest > 0 || short.is_empty() {
        format!("{fence} {short} {fence}")
    } else {
        format!("{fence}{short}{fence}")
    }
}

/// The most frequent values as a list.
pub(crate) fn value_list(values: &[Value]) -> String {
    let lines: Vec<String> = values
        .iter()
        .take(8)
        .map(|value| format!("- {} × {}", code(&value.text), value.count))
        .collect();
    lines.join("\n")
}
