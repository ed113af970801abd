//! The analyses: one SQL file each, in `sql/`, that defines a DuckDB table macro. The comment at the head of the file
//! is its documentation, read by [`Analysis`]; nothing about an analysis is written down twice. How they are called, and what the rows of the answers are: [`calls`].

mod analysis;
pub mod calls;

pub use analysis::{Analysis, Column, Parameter, all, definitions, find};
