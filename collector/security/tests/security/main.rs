//! The layers and the server together, over real sockets.

mod connections;
mod encrypted;
mod grpc;
mod limits;
mod pages;
mod secrecy;
mod server;
mod sign_in;
mod tokens;
