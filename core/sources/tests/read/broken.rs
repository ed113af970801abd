//! Files that can't be read: the error says which, what was found, and what was expected.

use std::fs;
use std::path::Path;

use duckdb::Connection;
use flockscope_sources::{SourceError, detect};

use crate::samples::{folder, read, rows, unpacked, written};

fn refused(path: &Path) -> String {
    let error = read(path).map(|(spans, _)| spans.len()).expect_err("an error");
    let message = error.to_string();
    assert!(
        message.starts_with(&path.display().to_string()),
        "the message names the file: {message}"
    );
    message
}

#[test]
fn content_of_another_kind_is_named() {
    let folder = folder();
    for (content, found) in [
        (&b""[..], "found an empty file"),
        (b"hello\nworld\n", "found text that is not JSON"),
        (b"SQLite format 3\0\x10\0\x01\x01", "found a SQLite database"),
        (
            b"{\"logs\": []}",
            "found JSON with neither `resourceSpans` (OTLP) nor `traceID` (Jaeger)",
        ),
        (
            b"\x7fELF\x02\x01\x01\0\xff\xfe\xfd",
            "found a binary file of an unknown kind",
        ),
        (b"\x1f\x8b\x08\0", "found a packed file that can't be unpacked"),
        (b"PAR1", "DuckDB could not read it"),
    ] {
        let message = refused(&written(&folder, "x", content));
        assert!(message.contains(found), "{message}");
    }
    let message = refused(&written(&folder, "x", b"hello"));
    assert!(
        message.contains("expected a Flock file or a Flockscope store (DuckDB), OTLP JSON"),
        "{message}"
    );
}

#[test]
fn folders_without_parquet_and_paths_without_a_file_are_named() {
    let folder = folder();
    assert!(refused(folder.path()).contains("found a folder without any *.parquet file"));
    let missing = folder.path().join("missing");
    assert!(detect(&missing).expect_err("nothing").is_not_found());
    // Not a file that can be opened, whoever the user is.
    let under_a_file = written(&folder, "file", b"x").join("traces.duckdb");
    assert!(matches!(detect(&under_a_file), Err(SourceError::Io { .. })));
}

/// Root may read everything, so there the test can't be made.
#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_is_an_error_of_the_system() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let file = unpacked("flock-2.0.0.duckdb", &folder);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("permissions");
    if fs::File::open(&file).is_ok() {
        eprintln!("not tested: this user may read every file");
        return;
    }
    assert!(refused(&file).contains("Permission denied"));
}

#[test]
fn a_truncated_database_is_an_error_or_still_whole() {
    let folder = folder();
    let file = unpacked("flock-2.0.0.duckdb", &folder);
    let whole = fs::read(&file).expect("bytes");
    let all = rows().len();
    let mut errors = 0;
    for length in [
        12,
        100,
        4096,
        12_287,
        12_288,
        300_000,
        800_000,
        1_200_000,
        1_600_000,
        whole.len() - 1,
    ] {
        fs::write(&file, &whole[..length]).expect("a shorter file");
        match read(&file) {
            // What was cut off may have been free.
            Ok((spans, _)) => assert_eq!(spans.len(), all, "of {length} bytes"),
            Err(error) => {
                errors += 1;
                assert!(error.to_string().contains("is truncated: found"), "{error}");
            }
        }
    }
    assert!(errors >= 5, "{errors}");
}

#[test]
fn a_database_without_spans_says_what_it_holds() {
    let folder = folder();
    let file = folder.path().join("other.duckdb");
    let run = |sql: &str| {
        Connection::open(&file)
            .expect("a database")
            .execute_batch(sql)
            .expect(sql)
    };
    run("SELECT 1");
    assert!(refused(&file).contains("found no table `spans`, but nothing;"));
    run("CREATE TABLE orders (i INT); CREATE VIEW all_orders AS FROM orders");
    assert!(refused(&file).contains("found no table `spans`, but all_orders, orders;"));
    run("CREATE TABLE spans (trace_id VARCHAR, name VARCHAR, end_time BIGINT)");
    let message = refused(&file);
    assert!(
        message.contains("the spans lack the columns span_id, start_time; found trace_id, name, end_time"),
        "{message}"
    );
}

#[test]
fn other_storage_versions_and_encryption_are_named() {
    let folder = folder();
    let file = unpacked("flock-1.4.1.duckdb", &folder);
    let sound = fs::read(&file).expect("bytes");
    // The main header: its checksum, `DUCK`, the version, the flags.
    let with = |offset: usize, value: u64| {
        let mut bytes = sound.clone();
        bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        let words = bytes[8..4096]
            .chunks(8)
            .map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes")));
        let sum = words.fold(5381, |sum, word| sum ^ word.wrapping_mul(0xbf58_476d_1ce4_e5b9));
        bytes[..8].copy_from_slice(&sum.to_le_bytes());
        fs::write(&file, bytes).expect("a file");
        refused(&file)
    };
    assert!(with(12, 63).contains("found a DuckDB file of storage version 63; versions 64 to 69"));
    assert!(with(12, 70).contains("found a DuckDB file of storage version 70; versions 64 to 69"));
    assert!(with(20, 1).contains("found an encrypted DuckDB file"));
}
