//! The core process from outside: started, found, killed, stopped, asked.
#![cfg(unix)]

mod damage;
mod disk_full;
mod flock_writer;
mod huge_bodies;
mod key_sets;
mod living;
mod onward;
mod otlp_sender;
mod questions;
mod scene;
mod settings;
mod starting;
mod taking_in;
mod under_tls;
