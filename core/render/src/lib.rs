//! Rows of the analyses as something to read: text for a terminal, HTML, SVG, Vega-Lite, Mermaid, JSON, CSV.
//!
//! Pure functions from `flockscope_model::rows` to text: no database, no input, no output. Every name and message is
//! text that strangers wrote: it is escaped, and what would steer a terminal or reorder a line is shown as an escape.
//! Every output is bounded, and says what it left out.

pub mod colour;
pub mod csv;
mod figures;
mod graph;
pub mod html;
pub mod json;
pub mod mermaid;
mod records;
mod spark;
pub mod svg;
pub mod table;
pub mod tables;
pub mod text;
mod timeline;
pub mod vega;
mod visible;

pub use text::Style;
pub use timeline::{SpanDetails, TimelineOptions};
