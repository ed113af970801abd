//! Tests that need DuckDB, in one program, as each program links all of it.

mod broken;
mod flock_files;
mod following;
mod hostile;
mod jaeger_files;
mod otlp_files;
mod samples;
mod tables;
