//! What a query may ask DuckDB about itself. Answers to these name files, settings and secrets of the process, so that
//! callers from elsewhere may not have them (see [`crate::Limits::internals`]).

/// Functions, views and pragmas, in lower case.
const NAMES: &[&str] = &[
    "current_setting",
    "database_list",
    "duckdb_approx_database_count",
    "duckdb_connection_count",
    "duckdb_databases",
    "duckdb_extensions",
    "duckdb_external_file_cache",
    "duckdb_log_contexts",
    "duckdb_logs",
    "duckdb_logs_parsed",
    "duckdb_log",
    "duckdb_secret_types",
    "duckdb_secrets",
    "duckdb_settings",
    "duckdb_temporary_files",
    "duckdb_variables",
    // The definition of the view `spans` names the files of the archive.
    "duckdb_views",
    "enable_logging",
    "enable_profiling",
    "getenv",
    "getvariable",
    "pg_get_viewdef",
    "pg_settings",
    "pg_views",
    "pragma_database_list",
    "sqlite_master",
    "sqlite_schema",
    "sqlite_temp_master",
    "sqlite_temp_schema",
    "truncate_duckdb_logs",
    "which_secret",
    "write_log",
];

/// The schema of the standard, of which only the relation `views` tells too much.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// Whether this names something that tells of DuckDB itself.
pub(crate) fn asks_about_internals(name: &str) -> bool {
    NAMES.contains(&name.to_ascii_lowercase().as_str())
}

/// The first function or relation of such a name in DuckDB's own syntax tree of a statement.
pub(crate) fn internals_asked_about(tree: &serde_json::Value) -> Option<&str> {
    let mut rest = vec![tree];
    while let Some(node) = rest.pop() {
        match node {
            serde_json::Value::Object(object) => {
                // Its definitions name the files of the archive.
                let text = |key: &str| object.get(key).and_then(|name| name.as_str()).unwrap_or_default();
                if text("schema_name").eq_ignore_ascii_case(INFORMATION_SCHEMA)
                    && text("table_name").eq_ignore_ascii_case("views")
                {
                    return Some("information_schema.views");
                }
                let named = ["function_name", "table_name"]
                    .iter()
                    .filter_map(|key| object.get(*key)?.as_str())
                    .find(|name| asks_about_internals(name.trim_matches('"')));
                if named.is_some() {
                    return named;
                }
                rest.extend(object.values());
            }
            serde_json::Value::Array(array) => rest.extend(array),
            _ => {}
        }
    }
    None
}
