//! Which functions are traced and whose spans are whose, on small projects and on the sample that comes with Flockscope.

mod calls;
mod editing;
mod edits;
mod embedded;
mod flock_rules;
mod git;
mod hostile;
mod languages;
mod project;
mod resolution;
mod sample;
mod scanning;
mod search;
mod stack_traces;
