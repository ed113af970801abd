//! The API over a real store, by requests.

mod analyses;
mod caching;
mod document;
mod events;
mod flock;
mod hostile;
mod limits;
mod operate;
mod paging;
mod sample;
mod sandbox;
mod search;
mod server;
mod spans;
mod sql;
mod viewer;
