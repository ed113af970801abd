//! The known name that a misspelt one comes nearest to.

use strsim::normalized_damerau_levenshtein;

/// More characters than any name has; the time to compare grows with the product of the lengths.
const MOST_COMPARED: usize = 100;

/// The nearest of some names, and how near it is, from 0 to 1.
///
/// A name of several parts is also compared by its last part alone, so that `days` finds `retention.days`.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, f64)> {
    let name: String = name.chars().take(MOST_COMPARED).collect::<String>().to_lowercase();
    let nearness = |known: &'a str| {
        let lower = known.to_lowercase();
        let of_all = normalized_damerau_levenshtein(&name, &lower);
        let of_last = match lower.rsplit_once('.') {
            Some((_, last)) => 0.9 * normalized_damerau_levenshtein(last_part(&name), last),
            None => 0.0,
        };
        (known, of_all.max(of_last))
    };
    known.into_iter().map(nearness).max_by(|(_, a), (_, b)| a.total_cmp(b))
}

fn last_part(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}
