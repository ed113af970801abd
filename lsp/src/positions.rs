//! Offsets in bytes, as all else here counts, and positions as the editor counts them.

use async_lsp::lsp_types::{Position, PositionEncodingKind, Range};
use line_index::{LineCol, LineIndex, TextSize, WideEncoding, WideLineCol};

/// How the editor counts within a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    Utf8,
    /// What every editor can do.
    #[default]
    Utf16,
    Utf32,
}

impl Encoding {
    /// The cheapest one that the editor can do: if it does not say, UTF-16.
    pub(crate) fn of(offered: &[PositionEncodingKind]) -> Self {
        if offered.contains(&PositionEncodingKind::UTF8) {
            Self::Utf8
        } else if offered.contains(&PositionEncodingKind::UTF32) && !offered.contains(&PositionEncodingKind::UTF16) {
            Self::Utf32
        } else {
            Self::Utf16
        }
    }

    /// `None`: bytes are what is counted.
    fn wide(self) -> Option<WideEncoding> {
        match self {
            Self::Utf8 => None,
            Self::Utf16 => Some(WideEncoding::Utf16),
            Self::Utf32 => Some(WideEncoding::Utf32),
        }
    }

    pub(crate) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
            Self::Utf32 => PositionEncodingKind::UTF32,
        }
    }
}

/// The position of a byte. One behind the end of the text is the end.
pub(crate) fn position(lines: &LineIndex, offset: u32, encoding: Encoding) -> Position {
    let offset = TextSize::from(offset.min(lines.len().into()));
    let Some(place) = lines.try_line_col(offset) else {
        return Position::default();
    };
    let column = match encoding.wide() {
        None => place.col,
        Some(wide) => lines.to_wide(wide, place).map_or(place.col, |wide| wide.col),
    };
    Position::new(place.line, column)
}

/// The range of bytes as positions.
pub(crate) fn range(lines: &LineIndex, bytes: &std::ops::Range<u32>, encoding: Encoding) -> Range {
    Range::new(
        position(lines, bytes.start, encoding),
        position(lines, bytes.end, encoding),
    )
}

/// The byte at a position. A position behind the end of its line is the end of the line, as the protocol has it; one
/// within a character is the character's begin.
pub(crate) fn offset(text: &str, lines: &LineIndex, position: Position, encoding: Encoding) -> usize {
    let Some(line) = lines.line(position.line) else {
        return text.len();
    };
    let start = usize::from(line.start());
    let end = usize::from(line.end()).min(text.len());
    let content = text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r']);
    let column = match encoding.wide() {
        None => Some(position.character),
        Some(wide) => {
            let place = WideLineCol {
                line: position.line,
                col: position.character,
            };
            lines.to_utf8(wide, place).map(|place: LineCol| place.col)
        }
    };
    let column = column
        .map_or(content.len(), |column| column as usize)
        .min(content.len());
    start + content.floor_char_boundary(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line with a character of four bytes and two units, one of two bytes, and CRLF.
    const TEXT: &str = "a = '🐦'\r\nnäme = 1\r\n\r\nlast";

    #[test]
    fn bytes_and_positions_are_the_same_places_in_all_encodings() {
        let lines = LineIndex::new(TEXT);
        for (needle, utf8, utf16, utf32) in [
            ("🐦", (0, 5), (0, 5), (0, 5)),
            ("'\r\nn", (0, 9), (0, 7), (0, 6)),
            ("me =", (1, 3), (1, 2), (1, 2)),
            ("last", (3, 0), (3, 0), (3, 0)),
        ] {
            let at = TEXT.find(needle).expect("there");
            let encodings = [
                (Encoding::Utf8, utf8),
                (Encoding::Utf16, utf16),
                (Encoding::Utf32, utf32),
            ];
            for (encoding, (line, column)) in encodings {
                let place = Position::new(line, column);
                assert_eq!(position(&lines, at as u32, encoding), place, "{needle:?} {encoding:?}");
                assert_eq!(offset(TEXT, &lines, place, encoding), at, "{needle:?} {encoding:?}");
            }
        }
    }

    #[test]
    fn what_lies_behind_the_end_is_the_end() {
        let lines = LineIndex::new(TEXT);
        for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
            let end_of_first = TEXT.find('\r').expect("there");
            assert_eq!(offset(TEXT, &lines, Position::new(0, 99), encoding), end_of_first);
            assert_eq!(offset(TEXT, &lines, Position::new(99, 0), encoding), TEXT.len());
            assert_eq!(offset(TEXT, &lines, Position::new(3, 4), encoding), TEXT.len());
            assert_eq!(position(&lines, 9_999, encoding), Position::new(3, 4));
        }
        // The second unit of a pair.
        let within = offset(TEXT, &lines, Position::new(0, 6), Encoding::Utf16);
        assert!(TEXT.is_char_boundary(within));
        assert!(TEXT.is_char_boundary(offset(TEXT, &lines, Position::new(0, 7), Encoding::Utf8)));
    }

    #[test]
    fn the_editor_chooses_how_places_are_counted() {
        let of = |names: &[PositionEncodingKind]| Encoding::of(names);
        let (utf8, utf16, utf32) = (
            PositionEncodingKind::UTF8,
            PositionEncodingKind::UTF16,
            PositionEncodingKind::UTF32,
        );
        assert_eq!(of(&[]), Encoding::Utf16);
        assert_eq!(of(&[utf32.clone(), utf16.clone()]), Encoding::Utf16);
        assert_eq!(of(&[utf16, utf8]), Encoding::Utf8);
        assert_eq!(of(&[utf32]), Encoding::Utf32);
    }
}
