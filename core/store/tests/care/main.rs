//! Tests of what keeps a store whole: archive, retention, size, backup, health, full disks and sudden ends. One binary:
//! each one links all of DuckDB.

mod archive;
mod backup;
mod clear;
mod compaction;
mod crash;
mod disk_full;
mod health;
mod retention;
mod size;
mod spans;
