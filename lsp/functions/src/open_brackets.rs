//! Python that was saved, or opened, with a bracket that is still open: to a parser everything after it is part of an
//! expression. No definition can stand in brackets, so a line that begins one shows which bracket was left open.

/// The text with the lines as blanks whose brackets were left open; none if there is no such line.
pub(crate) fn without_open_brackets(text: &str) -> Option<String> {
    let mut blanks: Vec<(usize, usize)> = Vec::new();
    // The start of the line of each open bracket.
    let mut open: Vec<usize> = Vec::new();
    let mut scanner = Scanner::default();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let begins_definition = ["def ", "async def ", "class "]
            .iter()
            .any(|word| line.trim_start().starts_with(word));
        if begins_definition
            && !scanner.is_in_long_string()
            && let Some(first) = open.first()
        {
            blanks.push((*first, start));
            open.clear();
        }
        scanner.line(line, start, &mut open);
        start += line.len();
    }
    blanks.extend(open.first().map(|first| (*first, text.len())));
    if blanks.is_empty() {
        return None;
    }
    let mut mended = String::with_capacity(text.len());
    let mut done = 0;
    for (start, end) in blanks {
        mended.push_str(text.get(done..start)?);
        let blank = text.get(start..end)?.bytes();
        mended.extend(blank.map(|byte| {
            if matches!(byte, b'\n' | b'\r') {
                char::from(byte)
            } else {
                ' '
            }
        }));
        done = end;
    }
    mended.push_str(text.get(done..)?);
    Some(mended)
}

/// Knows strings and comments from code.
#[derive(Default)]
struct Scanner {
    /// The quote of a string of several lines.
    long: Option<u8>,
}

impl Scanner {
    fn is_in_long_string(&self) -> bool {
        self.long.is_some()
    }

    fn line(&mut self, line: &str, start: usize, open: &mut Vec<usize>) {
        let mut rest = line.as_bytes();
        let mut short: Option<u8> = None;
        while let [byte, after @ ..] = rest {
            rest = after;
            let quote = self.long.or(short);
            match (quote, byte) {
                (Some(_), b'\\') => rest = rest.split_first().map_or(rest, |(_, after)| after),
                (Some(quote), byte) if *byte == quote => {
                    if self.long.is_none() {
                        short = None;
                    } else if rest.starts_with(&[quote, quote]) {
                        self.long = None;
                        rest = rest.get(2..).unwrap_or_default();
                    }
                }
                (Some(_), _) => {}
                (None, b'#') => return,
                (None, b'"' | b'\'') => {
                    if rest.starts_with(&[*byte, *byte]) {
                        self.long = Some(*byte);
                        rest = rest.get(2..).unwrap_or_default();
                    } else {
                        short = Some(*byte);
                    }
                }
                (None, b'(' | b'[' | b'{') => open.push(start),
                (None, b')' | b']' | b'}') => {
                    open.pop();
                }
                (None, _) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_of_the_open_bracket_become_blanks() {
        let text = "x = (1)\ny = foo(1,\n  2\ndef f():\n  return '(' # (\n";
        assert_eq!(
            without_open_brackets(text).as_deref(),
            Some("x = (1)\n          \n   \ndef f():\n  return '(' # (\n")
        );
    }

    #[test]
    fn strings_of_several_lines_are_no_code() {
        assert_eq!(without_open_brackets("x = \"\"\"(\ndef f(\n\"\"\"\ny = '\\'('\n"), None);
    }
}
