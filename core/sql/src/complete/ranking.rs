//! The order of the candidates.

use super::{Candidate, Completions, ItemKind};
use crate::cursor::Cursor;
use crate::lexer::TokenKind;

/// More items than this help nobody; those behind come up when more is typed.
pub(super) const MOST: usize = 200;

/// Orders by how well what is typed matches, then by score. What can't be what is being typed is left out.
pub(super) fn ranked(cursor: &Cursor<'_>, candidates: Vec<Candidate>) -> Completions {
    let typed = cursor.typed();
    // A closing quote that is already there says nothing.
    let quoted = matches!(cursor.kind(), Some(TokenKind::QuotedName));
    let typed = if quoted { typed.trim_start_matches('"') } else { typed };
    let mut matching: Vec<(u32, Candidate)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let filter = match candidate.item.kind {
                _ if quoted => candidate.item.filter_text.trim_start_matches('"'),
                _ => candidate.item.filter_text.as_str(),
            };
            class(filter, typed).map(|class| (class, candidate))
        })
        .collect();
    matching.sort_by(|(a_class, a), (b_class, b)| {
        a_class
            .cmp(b_class)
            .then(b.score.cmp(&a.score))
            .then_with(|| a.item.filter_text.len().cmp(&b.item.filter_text.len()))
            .then_with(|| a.item.label.cmp(&b.item.label))
    });
    let mut seen = std::collections::HashSet::new();
    matching.retain(|(_, candidate)| seen.insert((candidate.item.label.clone(), candidate.item.insert.clone())));
    let incomplete = matching.len() > MOST;
    matching.truncate(MOST);
    let items = matching.into_iter().enumerate().map(|(place, (_, candidate))| {
        let mut item = candidate.item;
        item.sort_text = format!("{place:04}");
        if quoted
            && matches!(
                item.kind,
                ItemKind::Column | ItemKind::Alias | ItemKind::Relation | ItemKind::Cte
            )
        {
            // Whoever opened a quote wants one.
            if !item.insert.starts_with('"') {
                item.insert = format!("\"{}\"", item.insert.replace('"', "\"\""));
                item.filter_text = item.insert.clone();
            }
        }
        item
    });
    Completions {
        replace: cursor.replaced(),
        items: items.collect(),
        incomplete,
    }
}

/// Whether a text can be what is being typed.
pub(super) fn matches(candidate: &str, typed: &str) -> bool {
    class(candidate, typed).is_some()
}

/// How well a text matches what is typed: 0 is best, `None` not at all.
pub(super) fn class(candidate: &str, typed: &str) -> Option<u32> {
    if typed.is_empty() {
        return Some(0);
    }
    let same = |a: char, b: char| {
        a.eq_ignore_ascii_case(&b) || (!a.is_ascii() && !b.is_ascii() && a.to_lowercase().eq(b.to_lowercase()))
    };
    // Most candidates fail here, before anything costly.
    let mut letters = candidate.chars();
    if !typed.chars().all(|typed| letters.any(|letter| same(letter, typed))) {
        return None;
    }
    let starts = |text: &str| {
        let mut letters = text.chars();
        typed
            .chars()
            .all(|typed| letters.next().is_some_and(|letter| same(letter, typed)))
    };
    if starts(candidate) {
        return Some(0);
    }
    // The quote of a literal, then a word inside it: `'name` finds `'agent.name'`.
    let (quote, inner) = match typed.strip_prefix('\'') {
        Some(inner) => (1, inner),
        None => (0, typed),
    };
    let word_starts = |text: &str| {
        let mut letters = text.chars();
        inner
            .chars()
            .all(|typed| letters.next().is_some_and(|letter| same(letter, typed)))
    };
    let body = candidate.get(quote..).unwrap_or("");
    let mut before = ' ';
    for (at, letter) in body.char_indices() {
        let begins = !before.is_alphanumeric() || (before.is_lowercase() && letter.is_uppercase());
        if begins && body.get(at..).is_some_and(word_starts) {
            return Some(1);
        }
        before = letter;
    }
    // `dm` finds `duration_ms`.
    let initials: String = body
        .split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| word.chars().next())
        .collect();
    if inner.chars().count() > 1 && word_starts(&initials) {
        return Some(2);
    }
    Some(if body.to_lowercase().contains(&inner.to_lowercase()) {
        3
    } else {
        4
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_name_matches_better_than_its_middle() {
        assert_eq!(class("duration_ms", "Dur"), Some(0));
        assert_eq!(class("duration_ms", "ms"), Some(1));
        assert_eq!(class("duration_ms", "dm"), Some(2));
        assert_eq!(class("duration_ms", "ratio"), Some(3));
        assert_eq!(class("duration_ms", "drms"), Some(4));
        assert_eq!(class("duration_ms", "msd"), None);
        assert_eq!(class("'agent.name'", "'name"), Some(1));
        assert_eq!(class("'DraftEngine.evaluate'", "'eval"), Some(1));
        assert_eq!(class("größe", "GRÖ"), Some(0));
    }
}
