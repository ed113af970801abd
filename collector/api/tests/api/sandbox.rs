//! SQL that tries to get out: all refused, nothing written, nothing told.

use std::collections::BTreeSet;
use std::path::Path;

use flockscope_store::Store;
use serde_json::json;

use crate::sample::{self, made, span};
use crate::server::{self, Server, post, viewer};

/// Statements that would read or write outside of the traces. `{out}` is a file outside of the store, `{inside}` one in
/// the folder that the store may write to, `{store}` the store's own file.
const ESCAPES: &[&str] = &[
    // Several statements.
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY spans TO '{out}'",
    "SELECT 1;;DROP VIEW spans",
    "SELECT 1; -- \n DELETE FROM stored_spans",
    "SELECT 1;/* */DELETE FROM stored_spans/* */",
    "/* SELECT */ DELETE FROM stored_spans",
    "-- SELECT\nDELETE FROM stored_spans",
    "BEGIN; DELETE FROM stored_spans; COMMIT",
    "SELECT ';'; COPY spans TO '{out}' --'",
    "SELECT $$;$$; DROP VIEW spans",
    // Writing.
    "COPY spans TO '{out}'",
    "copy spans to '{inside}'",
    "CoPy (SELECT 1) To '{inside}'",
    "COPY (SELECT 1) TO '{inside}' (FORMAT parquet)",
    "COPY/**/spans/**/TO/**/'{out}'",
    "COPY stored_spans FROM '{out}'",
    "COPY FROM DATABASE memory TO x",
    "EXPLAIN ANALYZE COPY spans TO '{inside}'",
    "explain /* x */ (analyze) COPY spans TO '{inside}'",
    "EXPLAIN (ANALYZE, FORMAT json) DELETE FROM stored_spans",
    "EXPLAIN ANALYZE DELETE FROM stored_spans",
    "EXPORT DATABASE '{out}'",
    "IMPORT DATABASE '{out}'",
    "DELETE FROM stored_spans",
    "delete from stored_spans where true returning *",
    "TRUNCATE stored_spans",
    "UPDATE stored_spans SET name = 'x'",
    "INSERT INTO trace_times VALUES ('x', 1, 2)",
    "INSERT OR REPLACE INTO flockscope_meta VALUES ('schema_version', '99')",
    "WITH x AS (SELECT 1) INSERT INTO trace_times SELECT 'x', 1, 2",
    "WITH x AS (SELECT 1) DELETE FROM stored_spans",
    "MERGE INTO trace_times USING (SELECT 'x' AS t) s ON trace_id = s.t WHEN NOT MATCHED THEN INSERT VALUES ('x', 1, 2)",
    "DROP VIEW spans",
    "DROP TABLE IF EXISTS stored_spans",
    "DROP MACRO TABLE red",
    "DROP SCHEMA main CASCADE",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE OR REPLACE VIEW spans AS SELECT 1",
    "CREATE OR REPLACE MACRO red() AS TABLE SELECT 1",
    "CREATE FUNCTION f() AS 1",
    "CREATE SEQUENCE s",
    "CREATE SCHEMA s",
    "CREATE TYPE t AS ENUM ('a')",
    "CREATE INDEX i ON stored_spans (name)",
    "CREATE SECRET s (TYPE s3)",
    "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'x')",
    "DROP SECRET s",
    "ALTER TABLE stored_spans DROP COLUMN name",
    "ALTER VIEW spans RENAME TO s",
    "COMMENT ON VIEW spans IS 'x'",
    "ANALYZE",
    "VACUUM",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "FROM checkpoint()",
    "FROM force_checkpoint()",
    "SELECT * FROM Force_Checkpoint('memory')",
    // Attaching, extensions.
    "ATTACH '{out}' AS x",
    "ATTACH ':memory:' AS x",
    "attach '{store}' as x (READ_ONLY)",
    "ATTACH IF NOT EXISTS 'http://localhost/x.duckdb' AS x",
    "ATTACH 'postgres:dbname=x' AS x (TYPE postgres)",
    "DETACH memory",
    "USE temp",
    "INSTALL httpfs",
    "FORCE INSTALL httpfs FROM community",
    "LOAD httpfs",
    "load '{out}'",
    "UPDATE EXTENSIONS",
    "SELECT * FROM duckdb_extensions()",
    "FROM sqlite_scan('{out}', 't')",
    "FROM postgres_scan('host=localhost', 'public', 't')",
    // Settings, transactions, prepared statements.
    "SET threads = 1",
    "SET GLOBAL enable_external_access = true",
    "set lock_configuration = false",
    "SET VARIABLE x = 1",
    "SET SESSION search_path = 'temp'",
    "RESET threads",
    "RESET ALL",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "pragma Database_Size",
    "PRAGMA disable_checkpoint_on_shutdown",
    "PRAGMA memory_limit='1TB'",
    "PRAGMA enable_logging",
    "CALL enable_logging()",
    "CALL pragma_version()",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "PREPARE x AS SELECT 1",
    "EXECUTE x",
    "DEALLOCATE x",
    "LISTEN x",
    "KILL 1",
    "DO $$ SELECT 1 $$",
    // Files.
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM Read_CSV_Auto('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM \"read_text\"('/etc/passwd')",
    "SELECT * FROM main.read_text('/etc/passwd')",
    "SELECT * FROM system.main.read_text('/etc/passwd')",
    "SELECT content FROM READ_TEXT(['/etc/passwd', '/etc/hostname'])",
    "SELECT * FROM read_blob('{store}')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_json_auto('/proc/self/environ')",
    "SELECT * FROM read_json_objects('/etc/passwd')",
    "SELECT * FROM read_ndjson('/etc/passwd')",
    "SELECT * FROM read_parquet('{inside}')",
    "SELECT * FROM parquet_scan('{inside}')",
    "SELECT * FROM parquet_metadata('{inside}')",
    "SELECT * FROM parquet_schema('{inside}')",
    "SELECT * FROM parquet_kv_metadata('{inside}')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM GLOB('/proc/self/*')",
    "SELECT * FROM '/etc/passwd'",
    "FROM '{store}'",
    "FROM \"{store}\"",
    "TABLE '/etc/passwd'",
    "SUMMARIZE '/etc/passwd'",
    "DESCRIBE SELECT * FROM read_text('/etc/passwd')",
    "SELECT (SELECT count(*) FROM read_blob('{store}'))",
    "WITH x AS MATERIALIZED (FROM Read_Text('{store}')) FROM x",
    "SELECT 1 UNION ALL SELECT size FROM read_blob('{store}')",
    "SELECT * FROM spans JOIN read_text('/etc/passwd') ON true",
    "SELECT * FROM spans, LATERAL (SELECT * FROM read_text('/etc/' || 'passwd'))",
    "SELECT * FROM (VALUES ('/etc/passwd')) t(f), read_text(t.f)",
    "EXPLAIN ANALYZE SELECT * FROM read_text('{store}')",
    "PIVOT (SELECT size FROM read_blob('{store}')) ON size USING count(*)",
    "FROM query('FROM read_blob(''{store}'')')",
    "FROM query('SELECT 1')",
    "FROM query_table('spans')",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM duckdb_databases()'))",
    "SELECT * FROM Json_Execute_Serialized_SQL(json_serialize_sql('FROM read_blob(''{store}'')'))",
    "PRAGMA json_execute_serialized_sql('x')",
    "SELECT * FROM read_text('{inside}/../../../../../../../../etc/passwd')",
    "SELECT * FROM arrow_scan(1::POINTER, 2::POINTER, 3::POINTER)",
    "FROM arrow_scan_dumb(1::POINTER, 2::POINTER, 3::POINTER)",
    "FROM seq_scan('x')",
    // The network.
    "SELECT * FROM read_csv('http://localhost:1/x.csv')",
    "SELECT * FROM 'https://example.com/x.parquet'",
    "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "FROM 'hf://datasets/x/y.csv'",
    // The process: its environment, settings, secrets, paths.
    "SELECT getenv('HOME')",
    "SELECT GetEnv('PATH')",
    "SELECT current_setting('temp_directory')",
    "SELECT main.current_setting('allowed_directories')",
    "SELECT getvariable('x')",
    "FROM duckdb_secrets()",
    "SELECT * FROM DuckDB_Secrets(redact=false)",
    "FROM which_secret('s3://x', 's3')",
    "SELECT value FROM duckdb_settings() WHERE name = 'temp_directory'",
    "FROM pg_settings",
    "FROM duckdb_databases()",
    "SELECT path FROM duckdb_databases",
    "FROM pragma_database_list",
    "FROM pragma_database_list()",
    "FROM duckdb_temporary_files()",
    "FROM duckdb_logs",
    "SELECT sql FROM duckdb_views()",
    "FROM information_schema.views",
    "SELECT view_definition FROM memory.Information_Schema.\"VIEWS\"",
    "PIVOT information_schema.views ON table_name USING first(view_definition)",
    "EXPLAIN ANALYZE SELECT count(*) FROM spans",
    "explain (format json, analyze) FROM spans",
    "SELECT sql FROM sqlite_master",
    "SELECT definition FROM pg_catalog.pg_views",
    "SELECT write_log('x')",
    "PIVOT duckdb_settings() ON name USING first(value)",
    // Nothing at all.
    "",
    " ; ",
    "-- nothing",
    "/*",
    "SELECT",
    "\\! ls",
    ".shell ls",
];

fn names_in(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = vec![folder.to_owned()];
    while let Some(folder) = rest.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                rest.push(path.clone());
            }
            names.insert(path.display().to_string());
        }
    }
    names
}

fn on_disk(folder: &Path) -> Server {
    let store = Store::open(&folder.join("store.duckdb"), sample::settings()).expect("a store");
    store
        .ingest(&[
            made(span("t", "a", None, "A.f", 0, 10)),
            made(span("t", "b", Some("a"), "A.g", 1, 2)),
        ])
        .expect("stored");
    server::of(store)
}

#[tokio::test]
async fn every_escape_is_refused_by_both_routes_and_nothing_is_written_or_told() {
    assert!(ESCAPES.len() >= 100, "{}", ESCAPES.len());
    let folder = tempfile::tempdir().expect("a folder");
    let server = on_disk(folder.path());
    let before = names_in(folder.path());
    let inside = server.store.archive_folder().join("out.parquet").display().to_string();
    let out = folder.path().join("out").display().to_string();
    let place = folder.path().display().to_string();
    let mut allowed = Vec::new();
    for escape in ESCAPES {
        let query = escape
            .replace("{out}", &out)
            .replace("{inside}", &inside)
            .replace("{store}", &server.store.path().display().to_string());
        for route in ["/api/v1/sql", "/api/traces/query"] {
            let answer = server.send(viewer(), post(route, &json!({ "query": query }))).await;
            if !answer.status.is_client_error() {
                allowed.push(format!("{route} {query}: {} {:.300}", answer.status, answer.text()));
                continue;
            }
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            // What the client did not write itself must not be said, and where the store is in no case.
            assert!(!answer.text().contains(&place), "{query}: {}", answer.text());
            assert!(!answer.text().contains("root:"), "{query}");
        }
    }
    assert!(allowed.is_empty(), "{}", allowed.join("\n"));
    assert_eq!(names_in(folder.path()), before);
    let statistics = server.store.statistics().expect("statistics");
    assert_eq!((statistics.spans, statistics.traces), (2, 1));
    // The lock on the file is still held, and the configuration still locked.
    assert!(server.store.ingest(&[made(span("t", "c", None, "A.h", 1, 2))]).is_ok());
}

#[tokio::test]
async fn what_only_reads_is_still_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = on_disk(folder.path());
    for query in [
        "SELECT created_at FROM spans",
        "WITH s AS (SELECT * FROM spans) SELECT count(*) FROM s",
        "FROM red()",
        "FROM traces() LIMIT 1",
        "VALUES (1), (2)",
        "TABLE spans",
        "DESCRIBE spans",
        "SUMMARIZE spans",
        "SHOW TABLES",
        "EXPLAIN SELECT * FROM spans",
        "PIVOT spans ON service USING count(*)",
        "SELECT 'drop table spans; copy to read_text(getenv)' AS \"update\"",
        "SELECT 1;",
        "-- a comment\nSELECT 1 /* and another */ ;  ",
        "SELECT * FROM information_schema.columns",
        "SELECT version()",
    ] {
        let answer = server
            .send(viewer(), post("/api/v1/sql", &json!({ "query": query })))
            .await;
        assert_eq!(answer.status.as_u16(), 200, "{query}: {}", answer.text());
    }
}

/// Queries about the relations, functions and plans of DuckDB. `{x}` is a query on the spans, which reads the archive.
const ABOUT_ITSELF: &[&str] = &[
    "EXPLAIN {x}",
    "EXPLAIN ANALYZE {x}",
    "EXPLAIN (FORMAT json) {x}",
    "EXPLAIN (ANALYZE, FORMAT json) {x}",
    "EXPLAIN (FORMAT graphviz) {x}",
    "EXPLAIN (FORMAT html) {x}",
    "SELECT json_serialize_plan('{x}')",
    "SELECT json_serialize_plan('{x}', optimize := true)",
    "SELECT json_serialize_sql('{x}')",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM duckdb_settings()'))",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM duckdb_databases()'))",
    "FROM information_schema.views",
    "FROM information_schema.tables",
    "FROM information_schema.columns",
    "FROM information_schema.schemata",
    "SELECT view_definition FROM INFORMATION_SCHEMA.\"VIEWS\"",
    "FROM pg_catalog.pg_class",
    "FROM pg_catalog.pg_database",
    "FROM pg_catalog.pg_proc",
    "SHOW ALL TABLES",
    "SHOW TABLES",
    "SHOW DATABASES",
    "SHOW spans",
    "DESCRIBE spans",
    "SUMMARIZE spans",
    "FROM pragma_show('spans')",
    "FROM pragma_table_info('spans')",
    "FROM pragma_storage_info('stored_spans')",
    "SELECT current_query(), current_database(), current_schema(), version()",
    "SELECT filename FROM spans",
    "SELECT s.filename FROM spans s",
    "SELECT COLUMNS('file.*') FROM spans",
    "SELECT pg_get_viewdef(1)",
    "SELECT spans FROM spans LIMIT 1",
];

#[tokio::test]
async fn nothing_that_duckdb_says_of_itself_tells_where_the_files_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = on_disk(folder.path());
    let archived = server
        .store
        .archive(chrono::NaiveDate::from_ymd_opt(2100, 1, 1).expect("a day"), |_| {});
    assert!(!archived.expect("archived").is_empty(), "queries read no file");
    let place = folder.path().display().to_string();
    let mut queries: Vec<String> = ABOUT_ITSELF
        .iter()
        .map(|query| query.replace("{x}", "SELECT name FROM spans WHERE duration_ms >= 0"))
        .collect();
    // Every relation and every function without parameters that DuckDB has.
    let all = flockscope_store::Limits {
        rows: 100_000,
        ..flockscope_store::Limits::default()
    };
    let found = server.store.sql(
        "SELECT DISTINCT query FROM (
             SELECT 'FROM ' || schema_name || '.' || view_name AS query FROM duckdb_views()
             UNION ALL SELECT CASE WHEN function_type IN ('table', 'table_macro', 'pragma') THEN 'FROM \"' ELSE 'SELECT \"' END
                 || function_name || '\"()' FROM duckdb_functions() WHERE len(parameters) = 0
         ) ORDER BY query",
        &all,
    );
    let found = found.expect("an answer");
    for batch in &found.batches {
        let texts = flockscope_store::arrow::array::AsArray::as_string::<i32>(batch.column(0));
        queries.extend(texts.iter().flatten().map(str::to_owned));
    }
    assert!(queries.len() > 150, "{}", queries.len());
    let mut telling = Vec::new();
    let mut answered = 0;
    for query in &queries {
        let answer = server
            .send(viewer(), post("/api/v1/sql", &json!({ "query": query })))
            .await;
        let text = answer.text();
        answered += u32::from(answer.status.is_success());
        let tells = [place.as_str(), "store.duckdb", ".parquet", "temp_directory"]
            .iter()
            .any(|word| text.contains(word));
        if tells {
            telling.push(format!("{query}: {} {:.400}", answer.status, text));
        }
    }
    assert!(answered > 50, "only {answered} of {} are answered", queries.len());
    println!(
        "{} queries about DuckDB itself, {answered} answered, none tells a path",
        queries.len()
    );
    assert!(telling.is_empty(), "{} tell:\n{}", telling.len(), telling.join("\n"));
}
