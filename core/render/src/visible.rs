//! Text that strangers wrote, made fit to show: what would steer a terminal, break XML or reorder a line becomes a
//! visible escape. Widths are terminal columns.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// So many marks without a width may follow each other; further ones are escaped, so that a letter can't carry a
/// megabyte of accents.
const MARKS_IN_A_ROW: usize = 4;

/// One line of text: control characters, line breaks and invisible or reordering characters as escapes (`\n`,
/// `\u{202e}`).
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// Text of several lines, such as a stack trace: as [`line`], but line feeds stay, tabs become four blanks and
/// carriage returns before a line feed are dropped.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    if text.contains(['\r', '\t']) {
        let text = text.replace("\r\n", "\n").replace('\t', "    ");
        return Cow::Owned(escape(&text, |c| c == '\n').into_owned());
    }
    escape(text, |c| c == '\n')
}

/// As [`line`], with every character beyond ASCII escaped too.
pub(crate) fn ascii_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
    out
}

fn escape(text: &str, kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut marks = 0;
    for c in text.chars() {
        marks = if c.width() == Some(0) { marks + 1 } else { 0 };
        if kept(c) {
            out.push(c);
        } else if is_unfit(c) || marks > MARKS_IN_A_ROW {
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{1b}' => out.push_str("\\e"),
                _ => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
                }
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Control characters, characters that reorder or hide text, and those that XML forbids. The zero-width joiner and
/// non-joiner stay: emoji and several scripts need them.
fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Columns that `text` takes in a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// `text`, or as much of it as fits `columns` with `ellipsis` at its end.
pub(crate) fn cut<'a>(text: &'a str, columns: usize, ellipsis: &str) -> Cow<'a, str> {
    // Most names are short ASCII: no need to walk graphemes.
    if text.len() <= columns && text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(UnicodeWidthStr::width(ellipsis));
    let (mut used, mut fits) = (0, 0);
    for (start, grapheme) in text.grapheme_indices(true) {
        used += UnicodeWidthStr::width(grapheme);
        if used > columns {
            let ellipsis = if columns >= UnicodeWidthStr::width(ellipsis) {
                ellipsis
            } else {
                ""
            };
            return Cow::Owned(format!("{}{ellipsis}", &text[..fits]));
        }
        if used <= room {
            fits = start + grapheme.len();
        }
    }
    Cow::Borrowed(text)
}

/// At most `characters` of `text`, with `…` where some were left out.
pub(crate) fn shorten(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_steers_a_terminal_is_shown_as_an_escape() {
        assert_eq!(line("a\u{1b}[31mb\r\n\u{7}"), "a\\e[31mb\\r\\n\\u{7}");
        assert_eq!(line("user\u{202e}txt.exe"), "user\\u{202e}txt.exe");
        assert_eq!(lines("a\r\n\tb\u{9b}c"), "a\n    b\\u{9b}c");
        assert_eq!(line("naïve 東京 👩‍👧"), "naïve 東京 👩‍👧");
        assert_eq!(ascii_line("→ x"), "\\u{2192} x");
    }

    #[test]
    fn a_letter_carries_few_accents() {
        assert_eq!(line("e\u{301}"), "e\u{301}");
        let tower = format!("e{}", "\u{301}".repeat(6));
        assert_eq!(line(&tower), "e\u{301}\u{301}\u{301}\u{301}\\u{301}\\u{301}");
    }

    #[test]
    fn a_cut_keeps_whole_letters() {
        assert_eq!(cut("abcdef", 4, "…"), "abc…");
        assert_eq!(cut("東京都", 4, "…"), "東…");
        assert_eq!(cut("東京", 4, "…"), "東京");
        assert_eq!(cut("abc", 0, "…"), "");
        assert_eq!(shorten("äbc", 2), "äb…");
    }

    proptest! {
        #[test]
        fn a_cut_never_exceeds_its_columns(text in any::<String>(), columns in 0usize..30) {
            let text = line(&text);
            let cut = cut(&text, columns, "…");
            prop_assert!(width(&cut) <= columns, "{cut:?}");
            prop_assert!(!cut.chars().any(char::is_control));
        }
    }
}
