//! What DuckDB says is wrong with a query, and whether any span has a key: short questions, each with an end.

use std::ops::Range as Bytes;
use std::time::Duration;

use flockscope_client::{ClientError, Connection, row_texts};
use flockscope_sql::TokenKind;
use flockscope_store::Limits;

/// Binding takes milliseconds; a store that is busy may take longer, and then nothing is said.
const LONGEST: Duration = Duration::from_secs(2);

/// Lines of a message: DuckDB lists every function that would fit.
const MOST_LINES: usize = 6;

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Bytes of the query.
    pub(crate) range: Bytes<usize>,
    pub(crate) message: String,
    /// What may be meant instead.
    pub(crate) candidates: Vec<String>,
    /// Whether it is that something is not there.
    pub(crate) is_missing: bool,
}

/// A JSON column and a key in it.
pub(crate) type Key = (String, String);

/// Whether spans have a key that none of the newest has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Older {
    Have,
    HaveNot,
    /// There are too many to look at.
    Unsure,
}

/// Asks DuckDB to plan a query. Of one that it can't plan for other reasons than a mistake nothing is known.
pub(crate) async fn mistake(connection: &Connection, query: &str) -> Result<Option<Mistake>, ClientError> {
    let question = format!(
        "SELECT p->>'error_type', p->>'error_message', p->>'location', p->>'name', p->>'candidates'
         FROM (SELECT json_serialize_plan('{}') AS p) WHERE p->>'error' = 'true'",
        query.replace('\'', "''")
    );
    let Some(rows) = ask(connection, &question).await? else {
        return Ok(None);
    };
    let Some([kind, message, location, name, candidates]) = rows.first().and_then(|row| row.first_chunk()) else {
        return Ok(None);
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    Ok(read(
        query,
        &text(kind),
        &text(message),
        &text(location),
        &text(name),
        &text(candidates),
    ))
}

/// Looks for a key in all spans, for as long as that may take.
pub(crate) async fn older(connection: &Connection, (column, key): &Key) -> Result<Older, ClientError> {
    let quoted = key.replace('\'', "''");
    // A search in the text is many times faster than reading it, and finds more; letters that JSON escapes it would miss.
    let is_plain = key.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c));
    let quick = if is_plain {
        format!("contains({column}::VARCHAR, '\"{quoted}\"') AND ")
    } else {
        String::new()
    };
    let question = format!("SELECT '1' FROM spans WHERE {quick}list_contains(json_keys({column}), '{quoted}') LIMIT 1");
    Ok(match ask(connection, &question).await? {
        Some(rows) if rows.is_empty() => Older::HaveNot,
        Some(_) => Older::Have,
        None => Older::Unsure,
    })
}

/// The few rows of a short question; nothing where there is no answer to it in time.
async fn ask(connection: &Connection, question: &str) -> Result<Option<Vec<Vec<Option<String>>>>, ClientError> {
    let limits = Limits {
        rows: 1,
        bytes: 1 << 20,
        time: LONGEST,
        ..Limits::default()
    };
    let answer = match connection.sql(question, &limits, None).await {
        Ok(answer) => answer.whole().await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) => row_texts(&answer)
            .map(Some)
            .map_err(|error| ClientError::Answer(error.to_string())),
        Err(ClientError::Unreachable(words)) => Err(ClientError::Unreachable(words)),
        Err(_) => Ok(None),
    }
}

/// A mistake in DuckDB's words. Kinds of errors that are no mistake of the query give none.
fn read(query: &str, kind: &str, message: &str, location: &str, name: &str, candidates: &str) -> Option<Mistake> {
    if !matches!(kind, "parser" | "binder" | "catalog" | "syntax") {
        return None;
    }
    let mut lines: Vec<&str> = message
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let is_long = lines.len() > MOST_LINES;
    lines.truncate(MOST_LINES);
    let mut message = lines.join("\n");
    if is_long {
        message.push_str("\n…");
    }
    let range = range_of(query, &message, location, name);
    // Signatures of functions are no names.
    let is_name = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let is_named = !name.is_empty()
        && query
            .get(range.clone())
            .is_some_and(|text| text.eq_ignore_ascii_case(name));
    Some(Mistake {
        candidates: match is_named {
            true => candidates
                .split(',')
                .map(str::trim)
                .filter(is_name)
                .take(3)
                .map(str::to_owned)
                .collect(),
            false => Vec::new(),
        },
        is_missing: kind == "catalog",
        range,
        message,
    })
}

/// The part of a query that a message is about: the name that is wrong, else what DuckDB points at, else the call that it
/// names, else the first word.
fn range_of(query: &str, message: &str, location: &str, name: &str) -> Bytes<usize> {
    let pointed = pointed_at(query, location);
    if let Some(at) = &pointed
        && let Some(bytes) = at.start.checked_add(name.len()).map(|end| at.start..end)
        && !name.is_empty()
        && query
            .get(bytes.clone())
            .is_some_and(|text| text.eq_ignore_ascii_case(name))
    {
        return bytes;
    }
    let tokens = flockscope_sql::tokens(query);
    let named = |name: &str| {
        let same = |token: &&flockscope_sql::Token| {
            let text = query.get(token.range()).unwrap_or_default();
            matches!(token.kind, TokenKind::Word | TokenKind::QuotedName)
                && text.trim_matches('"').eq_ignore_ascii_case(name)
        };
        tokens.iter().find(same).map(flockscope_sql::Token::range)
    };
    if pointed.is_none()
        && let Some(found) = named(name)
    {
        return found;
    }
    if let Some(at) = pointed {
        return if at.is_empty() {
            let token = tokens
                .iter()
                .find(|token| token.start <= at.start && at.start < token.end);
            token.map_or(at, flockscope_sql::Token::range)
        } else {
            at
        };
    }
    // "Macro red() does not support the supplied arguments."
    let called = message
        .split_once("()")
        .and_then(|(before, _)| before.rsplit(' ').next());
    called
        .and_then(named)
        .or_else(|| tokens.first().map(flockscope_sql::Token::range))
        .unwrap_or(0..0)
}

/// `[begin,length]`, in bytes.
fn pointed_at(query: &str, location: &str) -> Option<Bytes<usize>> {
    let (start, length) = location.trim_matches(['[', ']']).split_once(',')?;
    let start: usize = start.trim().parse().ok()?;
    let length: usize = length.trim().parse().ok()?;
    let bytes = start..start.checked_add(length)?.min(query.len());
    query.get(bytes.clone()).map(|_| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked<'q>(query: &'q str, message: &str, location: &str, name: &str) -> &'q str {
        let found = read(query, "binder", message, location, name, "").expect("a mistake");
        &query[found.range]
    }

    #[test]
    fn a_mistake_stands_where_duckdb_points() {
        let query = "SELECT '🐦', servce, foo(1), a + 1 FROM red(x := 1)";
        assert_eq!(marked(query, "no", "[15,6]", "servce"), "servce");
        assert_eq!(marked(query, "no", "[23,6]", "foo"), "foo");
        assert_eq!(marked(query, "no", "[23,6]", ""), "foo(1)");
        assert_eq!(marked(query, "no", "[33,0]", "+"), "+");
        assert_eq!(marked(query, "Macro red() does not support", "", ""), "red");
        assert_eq!(marked(query, "no", "", "FOO"), "foo");
        assert_eq!(marked(query, "no", "", ""), "SELECT");
        // Within a character, and behind the end.
        assert_eq!(marked(query, "no", "[9,1]", ""), "SELECT");
        assert_eq!(marked(query, "no", "[900,1]", ""), "SELECT");
        assert_eq!(marked(query, "no", "[18446744073709551615,9]", ""), "SELECT");
    }

    #[test]
    fn words_are_kept_and_long_lists_are_cut() {
        let list = format!("No function\n{}", "\tcandidate\n".repeat(40));
        let found = read("SELECT a", "binder", &list, "[7,1]", "a", "a(x) -> B,b").expect("a mistake");
        assert_eq!(found.message.lines().count(), MOST_LINES + 1);
        assert_eq!(found.candidates, ["b"]);
        assert!(!found.is_missing);
        let found = read("FROM b", "catalog", "x!\nDid you mean \"a\"?", "[5,1]", "b", "a").expect("a mistake");
        assert_eq!(found.message, "x!\nDid you mean \"a\"?");
        assert!(found.is_missing);
        assert_eq!(read("FROM 'x'", "permission", "no", "", "", ""), None);
    }
}
