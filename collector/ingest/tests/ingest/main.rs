//! The receivers over real sockets, with a sink in memory that fails or blocks when it is told to.

mod acknowledge;
mod backpressure;
mod damage;
mod disk_full;
mod grpc;
mod http;
mod kill;
mod limits;
mod malformed;
mod messages;
mod onward;
mod server;
mod sink;
