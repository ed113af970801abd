//! Text of strangers inside of Markdown: names and messages out of traces stay text.

/// Most characters of a text that is shown.
const MOST: usize = 200;

/// A text that Markdown shows as it is, on one line, cut where it is long. <https://spec.commonmark.org/0.31.2/#backslash-escapes>
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MOST {
            out.push('…');
            break;
        }
        match c {
            c if c.is_whitespace() => out.push(' '),
            c if is_steering(c) => out.push('\u{fffd}'),
            c if c.is_ascii_punctuation() => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A text as code, on one line, cut where it is long.
pub(crate) fn code(text: &str) -> String {
    let mut content: String = text
        .chars()
        .take(MOST)
        .map(|c| match c {
            c if c.is_whitespace() => ' ',
            c if is_steering(c) => '\u{fffd}',
            // Within a table it would end the cell, and within code it can't be escaped everywhere.
            '|' => '¦',
            c => c,
        })
        .collect();
    if text.chars().nth(MOST).is_some() {
        content.push('…');
    }
    // A fence longer than any run of backticks inside; a space keeps one at the edge apart from it.
    let longest = content.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if content.starts_with('`') || content.ends_with('`') {
        " "
    } else {
        ""
    };
    if content.is_empty() {
        return String::new();
    }
    format!("{fence}{space}{content}{space}{fence}")
}

/// Characters that steer a terminal or the direction of writing.
fn is_steering(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escaped("a_b <b>[x](y)|\n# z"), "a\\_b \\<b\\>\\[x\\]\\(y\\)\\| \\# z");
        assert_eq!(escaped("\u{202e}x\u{1b}"), "\u{fffd}x\u{fffd}");
        assert!(escaped(&"x".repeat(1_000)).chars().count() <= MOST + 1);
    }

    #[test]
    fn code_can_not_be_left() {
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`x"), "`` `x ``");
        assert_eq!(code("a | b\nc"), "`a ¦ b c`");
        assert_eq!(code(""), "");
    }
}
