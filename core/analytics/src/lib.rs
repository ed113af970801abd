//! The analyses: one SQL file each, in `sql/`, that defines a DuckDB table macro. The comment at the head of the file
//! is its documentation, read by [`Analysis`]; nothing about an analysis is written down twice.

mod analysis;

pub use analysis::{Analysis, Column, Parameter, all, definitions, find};
