//! Cuts a stream of bytes into JSON documents: one a line, or one over many lines.

use std::io::{self, BufRead};

use super::MOST_MESSAGE;

/// A document, or what could not be one.
pub(super) struct Record {
    /// Number of its first line, from 1.
    pub(super) line: u64,
    pub(super) text: Result<Vec<u8>, String>,
}

/// Yields documents. A line that is broken off does not take the next ones with it: a document also ends where a line
/// begins with the first words of a request.
pub(super) struct Records<R> {
    bytes: R,
    /// Number of the last line that was read.
    line: u64,
    /// A line that was read already.
    next: Option<Line>,
}

enum Line {
    Text(Vec<u8>),
    /// Longer than a message may be.
    TooLong,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(bytes: R) -> Self {
        Self {
            bytes,
            line: 0,
            next: None,
        }
    }

    /// Where the bytes come from.
    pub(super) fn source(&self) -> &R {
        &self.bytes
    }

    /// The next document, `None` at the end.
    pub(super) fn next_record(&mut self) -> io::Result<Option<Record>> {
        let mut document = loop {
            match self.next_line()? {
                None => return Ok(None),
                Some(Line::TooLong) => return Ok(Some(self.too_long(self.line))),
                Some(Line::Text(line)) if line.trim_ascii().is_empty() => {}
                Some(Line::Text(line)) => break line,
            }
        };
        if self.line == 1 && document.starts_with(b"\xef\xbb\xbf") {
            document.drain(..3);
        }
        let first = self.line;
        let mut nesting = Nesting::default();
        nesting.read(&document);
        while nesting.is_open() {
            let mut line = match self.next_line()? {
                None => break,
                Some(Line::TooLong) => return Ok(Some(self.too_long(first))),
                Some(Line::Text(line)) => line,
            };
            if begins_request(&line) {
                self.next = Some(Line::Text(line));
                self.line -= 1;
                break;
            }
            if document.len() + line.len() > MOST_MESSAGE {
                return Ok(Some(self.too_long(first)));
            }
            nesting.read(&line);
            document.push(b'\n');
            document.append(&mut line);
        }
        Ok(Some(Record {
            line: first,
            text: Ok(document),
        }))
    }

    fn too_long(&self, line: u64) -> Record {
        Record {
            line,
            text: Err(format!("longer than {MOST_MESSAGE} bytes")),
        }
    }

    /// A line without its end. Of a line that is too long the rest is skipped, not kept.
    fn next_line(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.next.take() {
            self.line += 1;
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        let mut any = false;
        let mut too_long = false;
        loop {
            let bytes = self.bytes.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            any = true;
            let end = memchr::memchr(b'\n', bytes);
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if line.len() + part.len() > MOST_MESSAGE {
                too_long = true;
                line = Vec::new();
            } else if !too_long {
                line.extend_from_slice(part);
            }
            let used = end.map_or(bytes.len(), |end| end + 1);
            self.bytes.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.line += 1;
        Ok(Some(if too_long { Line::TooLong } else { Line::Text(line) }))
    }
}

/// Whether a line begins like those of the file exporter.
fn begins_request(line: &[u8]) -> bool {
    line.strip_prefix(b"{\"resource").is_some_and(|rest| {
        [&b"Spans\""[..], b"_spans\"", b"Logs\"", b"Metrics\""]
            .iter()
            .any(|signal| rest.starts_with(signal))
    })
}

/// How many brackets of a document are open.
#[derive(Default)]
struct Nesting {
    depth: i64,
    broken: bool,
}

impl Nesting {
    fn read(&mut self, line: &[u8]) {
        let mut in_text = false;
        let mut escaped = false;
        for byte in line {
            match (in_text, byte) {
                (true, _) if escaped => escaped = false,
                (true, b'\\') => escaped = true,
                (_, b'"') => in_text = !in_text,
                (false, b'{' | b'[') => self.depth += 1,
                (false, b'}' | b']') => self.depth -= 1,
                _ => {}
            }
        }
        // JSON has no line ends within texts: such a line was broken off.
        self.broken |= in_text;
    }

    fn is_open(&self) -> bool {
        self.depth > 0 && !self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &[u8]) -> Vec<(u64, Option<String>)> {
        let mut records = Records::new(text);
        let mut found = Vec::new();
        while let Some(record) = records.next_record().expect("memory does not fail") {
            let text = record.text.ok().map(|text| String::from_utf8_lossy(&text).into_owned());
            found.push((record.line, text));
        }
        found
    }

    #[test]
    fn one_document_a_line_or_one_over_many_lines() {
        let found = records(b"\xef\xbb\xbf{\"a\":\"}\\\"{\"}\r\n\n  {\n  \"b\": [\n1]\n}\n{\"c\":1}");
        let texts: Vec<_> = found
            .iter()
            .map(|(line, text)| (*line, text.as_deref().expect("text")))
            .collect();
        assert_eq!(
            texts,
            [
                (1, "{\"a\":\"}\\\"{\"}\r"),
                (3, "  {\n  \"b\": [\n1]\n}"),
                (7, "{\"c\":1}")
            ]
        );
    }

    #[test]
    fn a_line_that_is_broken_off_ends_before_the_next_request() {
        let found = records(b"{\"resourceSpans\":[{\n{\"resourceSpans\":[]}\n{\"resourceSpans\":[{\"na\n{}\n");
        let lines: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3, 4]);
        assert_eq!(found[1].1.as_deref(), Some("{\"resourceSpans\":[]}"));
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let mut text = vec![b'x'; MOST_MESSAGE + 1];
        text.extend(b"\n{}\n");
        assert_eq!(records(&text), [(1, None), (2, Some("{}".to_owned()))]);
    }
}
