//! Plain data of Flockscope: a [`Span`] as it is stored, the columns promoted from its attributes, and the rows
//! that the analyses answer with. No I/O, no database.

mod promoted;
mod report;
pub mod rows;
mod span;
mod span_line;

pub use promoted::Promoted;
pub use report::{ReadReport, Repair, SkipReason};
pub use span::{NewSpan, Span, StatusCode, service_and_operation};
