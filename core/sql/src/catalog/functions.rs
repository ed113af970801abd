//! DuckDB's functions, from `data/functions.jsonl`.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// A function, by its name: all its overloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// How it is used.
    pub kind: FunctionKind,
    /// What it does; empty where DuckDB does not say.
    pub doc: String,
    /// A call of it; may be empty.
    pub example: String,
    /// Its overloads, the important ones first.
    pub signatures: Vec<Signature>,
}

/// How a function is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FunctionKind {
    /// One value from values.
    Scalar,
    /// One value from many rows.
    Aggregate,
    /// With `OVER (…)`.
    Window,
    /// After `FROM`.
    Table,
}

/// One overload of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Names of the parameters; `...` for more of the last kind.
    pub parameters: Vec<String>,
    /// Their types, as many as there are names.
    pub types: Vec<String>,
    /// The type of the answer; empty when it depends.
    pub returns: String,
}

const DATA: &str = include_str!("../../data/functions.jsonl");

/// All of them, by name.
pub(crate) fn all() -> &'static [Function] {
    static ALL: LazyLock<Vec<Function>> = LazyLock::new(|| {
        let mut functions: Vec<Function> = DATA.lines().filter_map(read).collect();
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        functions
    });
    &ALL
}

/// The one of this name, in any case.
pub(crate) fn builtin(name: &str) -> Option<&'static Function> {
    let name = name.to_ascii_lowercase();
    let all = all();
    let at = all
        .binary_search_by(|function| function.name.as_str().cmp(&name))
        .ok()?;
    all.get(at)
}

fn read(line: &str) -> Option<Function> {
    type Line = (
        String,
        FunctionKind,
        String,
        String,
        Vec<(Vec<String>, Vec<String>, String)>,
    );
    let (name, kind, doc, example, signatures): Line = serde_json::from_str(line).ok()?;
    let signatures = signatures
        .into_iter()
        .map(|(parameters, types, returns)| Signature {
            parameters,
            types,
            returns,
        })
        .collect();
    Some(Function {
        name,
        kind,
        doc,
        example,
        signatures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_data_is_a_function_that_is_found_by_its_name() {
        assert_eq!(all().len(), DATA.lines().count());
        for function in all() {
            assert_eq!(builtin(&function.name.to_uppercase()), Some(function));
            for signature in &function.signatures {
                assert_eq!(signature.parameters.len(), signature.types.len(), "{}", function.name);
            }
        }
        assert!(builtin("no_such_function").is_none());
    }
}
