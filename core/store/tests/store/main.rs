//! Tests of the store on the real sample and on hand-made spans. One binary: each one links all of DuckDB.

mod bounded;
mod documentation;
mod figures;
mod ingest;
mod sample;
mod sandbox;
