//! Every rendering, on a small trace made by hand and on hostile text.

mod data;
mod markup;
mod rows;
mod terminal;
