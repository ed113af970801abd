//! Which functions are traced and whose spans are whose, on small projects and on the sample that comes with Flockscope.

mod project;
mod sample;
