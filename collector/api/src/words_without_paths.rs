//! DuckDB's words without the paths of this machine.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// What must not be said: where the store lies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    places: Vec<String>,
}

impl Secrets {
    /// Those of a store's file: it, its folder, and the folder beside it.
    pub(crate) fn of(store: &Path) -> Self {
        let mut places: Vec<String> = store
            .ancestors()
            .take(2)
            .map(|place| place.to_string_lossy().into_owned())
            .filter(|place| place.len() > 1)
            .collect();
        places.retain(|place| place != ":memory:");
        Self { places }
    }
}

/// An absolute path, for Unix or Windows, behind a quote, a blank or a bracket.
static PATH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?m)(^|["'\s(\[=:,])((?:/[^\s"'/:,;()]+){2,}/?|[A-Za-z]:\\[^\s"':,;()]+)"#)
        .expect("a sound expression")
});

/// The words with `(a file)` for each absolute path, but for those that stand in `sql`: that is what the client wrote.
/// The places of the store are left out even then.
pub(crate) fn without_paths(words: &str, sql: &str, secrets: &Secrets) -> String {
    let mut words = PATH
        .replace_all(words, |found: &regex::Captures<'_>| {
            if sql.contains(&found[2]) {
                found[0].to_owned()
            } else {
                format!("{}(a file)", &found[1])
            }
        })
        .into_owned();
    for place in &secrets.places {
        if words.contains(place.as_str()) {
            words = words.replace(place.as_str(), "(a file)");
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_and_the_rest_stays() {
        let secrets = Secrets::of(Path::new("/data/traces/store.duckdb"));
        let clean = |words: &str, sql: &str| without_paths(words, sql, &secrets);
        assert_eq!(
            clean("IO Error: Cannot open file \"/data/traces/store.duckdb\": no", ""),
            "IO Error: Cannot open file \"(a file)\": no"
        );
        assert_eq!(clean("at C:\\Users\\x\\store.duckdb end", ""), "at (a file) end");
        assert_eq!(
            clean("LINE 1: FROM '/etc/passwd'", "FROM '/etc/passwd'"),
            "LINE 1: FROM '/etc/passwd'"
        );
        assert_eq!(
            clean("FROM '/data/traces/store.duckdb'", "FROM '/data/traces/store.duckdb'"),
            "FROM '(a file)/store.duckdb'".replace("/store.duckdb", "")
        );
        assert_eq!(
            clean("Binder Error: a/b and 1 / 2 and '$.x'", ""),
            "Binder Error: a/b and 1 / 2 and '$.x'"
        );
    }
}
