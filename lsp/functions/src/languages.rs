//! What the nodes of each language's syntax tree mean.

pub(crate) mod go;
pub(crate) mod java;
pub(crate) mod javascript;
pub(crate) mod python;
pub(crate) mod rust;
