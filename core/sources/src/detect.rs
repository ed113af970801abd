//! What a file or folder is, told by its content.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::SourceError;
use crate::compressed::Input;
use crate::database_file::{CHECKSUM_SIZE, HEADERS_SIZE, Headers, MetaPointer, number};
use crate::otlp::looks_like_protobuf;
use crate::table::parquet_files;

/// Bytes of a file that are looked at.
const START: u64 = 64 << 10;
/// Pieces of a database's catalogue that are looked at; one holds dozens of columns.
const MOST_PIECES: usize = 64;
/// A table that every store has.
const TABLE_OF_STORES: &[u8] = b"flockscope_meta";

/// The kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// A DuckDB file that Flock writes (or any other with a table or view `spans`).
    Flock,
    /// OTLP/JSON, one message a line or one document.
    OtlpJson,
    /// OTLP/protobuf, length-prefixed messages or one message.
    OtlpProtobuf,
    /// A JSON export of Jaeger.
    Jaeger,
    /// A Parquet file or a folder of them.
    Parquet,
    /// A store of Flockscope.
    Store,
}

/// Finds out what a file or folder is. The name does not matter, but for `*.parquet` within a folder.
///
/// The file is opened, read and closed; see [`crate::open`] for what that means for a file that this process holds.
pub fn detect(path: &Path) -> Result<SourceKind, SourceError> {
    let metadata = fs::metadata(path).map_err(SourceError::io(path))?;
    if metadata.is_dir() {
        let files = parquet_files(path)?;
        return if files.is_empty() {
            Err(SourceError::NoParquet { path: path.to_owned() })
        } else {
            Ok(SourceKind::Parquet)
        };
    }
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(START).read_to_end(&mut start))
        .map_err(SourceError::io(path))?;
    if start.get(8..12) == Some(b"DUCK") {
        return Ok(if is_store(path)? {
            SourceKind::Store
        } else {
            SourceKind::Flock
        });
    }
    if start.starts_with(b"PAR1") {
        return Ok(SourceKind::Parquet);
    }
    // Packed files are unpacked; others come as they are.
    let mut unpacked = Vec::new();
    let packed_well = Input::open(path)?.take(START).read_to_end(&mut unpacked);
    match text_or_protobuf(&unpacked) {
        Ok(kind) => Ok(kind),
        Err(found) => Err(SourceError::Unrecognised {
            path: path.to_owned(),
            found: match packed_well {
                Ok(_) => found.to_owned(),
                Err(error) => format!("a packed file that can't be unpacked ({error})"),
            },
        }),
    }
}

fn text_or_protobuf(start: &[u8]) -> Result<SourceKind, &'static str> {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let first = |words: &[&[u8]]| words.iter().filter_map(|word| memchr::memmem::find(text, word)).min();
    let otlp = first(&[
        b"\"resourceSpans\"",
        b"\"resource_spans\"",
        b"\"resourceLogs\"",
        b"\"resourceMetrics\"",
    ]);
    let jaeger = first(&[b"\"traceID\"", b"\"operationName\""]);
    // Packed messages of the file exporter hold the same words, behind a length.
    if looks_like_protobuf(start) {
        return Ok(SourceKind::OtlpProtobuf);
    }
    match (otlp, jaeger) {
        (Some(otlp), Some(jaeger)) if jaeger < otlp => Ok(SourceKind::Jaeger),
        (Some(_), _) => Ok(SourceKind::OtlpJson),
        (None, Some(_)) => Ok(SourceKind::Jaeger),
        (None, None) => Err(describe(start, text)),
    }
}

/// What content that is none of ours looks like.
fn describe(start: &[u8], text: &[u8]) -> &'static str {
    if start.is_empty() {
        "an empty file"
    } else if start.starts_with(b"SQLite format 3\0") {
        "a SQLite database"
    } else if start.get(8..12) == Some(b"DUCK") {
        "a packed DuckDB file; unpack it first"
    } else if start.starts_with(b"PAR1") {
        "a packed Parquet file; unpack it first"
    } else if matches!(text.first(), Some(b'{' | b'[')) {
        "JSON with neither `resourceSpans` (OTLP) nor `traceID` (Jaeger)"
    } else if str::from_utf8(&start[..start.len().min(1024)]).map_or_else(|error| error.error_len().is_none(), |_| true)
    {
        "text that is not JSON"
    } else {
        "a binary file of an unknown kind"
    }
}

/// Whether a DuckDB file is one of our stores: whether its catalogue, or the log of what was written since the last
/// checkpoint, names a table that only they have. Both hold names as plain text.
fn is_store(path: &Path) -> Result<bool, SourceError> {
    let mut file = File::open(path).map_err(SourceError::io(path))?;
    let mut bytes = Box::new([0; HEADERS_SIZE]);
    // A file that can't be read is told apart when it is opened, with the reason.
    if file.read_exact(bytes.as_mut_slice()).is_err() {
        return Ok(false);
    }
    let Ok(headers) = Headers::parse(&bytes) else {
        return Ok(false);
    };
    if memchr::memmem::find(&catalogue(&mut file, &headers), TABLE_OF_STORES).is_some() {
        return Ok(true);
    }
    let mut log = path.as_os_str().to_owned();
    log.push(".wal");
    let mut start = Vec::new();
    if let Ok(file) = File::open(Path::new(&log)) {
        file.take(START)
            .read_to_end(&mut start)
            .map_err(SourceError::io(path))?;
    }
    Ok(memchr::memmem::find(&start, TABLE_OF_STORES).is_some())
}

/// The catalogue: a chain of pieces of metadata blocks, each of which begins with the place of the next. What can't be
/// read is left out.
fn catalogue(file: &mut File, headers: &Headers) -> Vec<u8> {
    let piece_size = (headers.block_size - CHECKSUM_SIZE as u64) / MetaPointer::PARTS / 8 * 8;
    let mut catalogue = Vec::new();
    let mut next = headers.catalogue;
    for _ in 0..MOST_PIECES {
        let Some(place) = next.filter(|place| place.block < headers.block_count && place.part < MetaPointer::PARTS)
        else {
            break;
        };
        // The headers may say anything.
        let before = (HEADERS_SIZE + CHECKSUM_SIZE) as u64 + place.part * piece_size;
        let block = place.block.checked_mul(headers.block_size);
        let Some(start) = block.and_then(|block| block.checked_add(before)) else {
            break;
        };
        let mut piece = vec![0; piece_size as usize];
        if file
            .seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(&mut piece))
            .is_err()
        {
            break;
        }
        next = MetaPointer::unpack(number(&piece, 0));
        catalogue.extend_from_slice(&piece[8..]);
    }
    catalogue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_beyond_all_numbers_is_left_out() {
        let headers = Headers {
            iteration: 1,
            block_size: 262_144,
            block_count: u64::MAX,
            catalogue: MetaPointer::unpack((1 << 56) - 1),
        };
        let mut file = tempfile::tempfile().expect("a file");
        assert_eq!(catalogue(&mut file, &headers), Vec::<u8>::new());
    }
}
