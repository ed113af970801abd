//! The languages that are read, and what a file's name says about its language.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A language whose functions are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Language {
    /// Python, with the rules of Flock.
    Python,
    /// Rust, with the attributes and macros of `tracing`.
    Rust,
    /// TypeScript without JSX.
    TypeScript,
    /// JavaScript, and TypeScript with JSX: one grammar reads both.
    JavaScript,
    /// Go.
    Go,
    /// Java.
    Java,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 6] = [
        Self::Python,
        Self::Rust,
        Self::TypeScript,
        Self::JavaScript,
        Self::Go,
        Self::Java,
    ];

    /// The endings of all files that are read.
    pub const ENDINGS: [&str; 12] = [
        "py", "rs", "ts", "mts", "cts", "js", "mjs", "cjs", "jsx", "tsx", "go", "java",
    ];

    /// The language of a file by the ending of its name; none if it is not one of ours.
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "py" => Some(Self::Python),
            "rs" => Some(Self::Rust),
            "ts" | "mts" | "cts" => Some(Self::TypeScript),
            "js" | "mjs" | "cjs" | "jsx" | "tsx" => Some(Self::JavaScript),
            "go" => Some(Self::Go),
            "java" => Some(Self::Java),
            _ => None,
        }
    }

    /// The grammar that reads it.
    pub(crate) fn grammar(self) -> tree_sitter::Language {
        match self {
            Self::Python => tree_sitter_python::LANGUAGE.into(),
            Self::Rust => tree_sitter_rust::LANGUAGE.into(),
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Self::JavaScript => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Self::Go => tree_sitter_go::LANGUAGE.into(),
            Self::Java => tree_sitter_java::LANGUAGE.into(),
        }
    }
}
