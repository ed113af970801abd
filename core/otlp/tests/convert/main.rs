//! What becomes of OTLP messages, sound ones and odd ones.

mod both_forms;
mod hostile;
mod json_writer;
mod messages;
mod odd_values;
mod way_back;
