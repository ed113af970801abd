//! The newest spans, so many of them: what is worked out of these costs the same on a store of any size.

/// The start of the span that is so many back, as a value of SQL; 0 in a store of fewer. The store finds it, and the spans
/// since then, by its index of time.
pub(crate) fn start_of(most: u32) -> String {
    format!(
        "coalesce((SELECT min(start_time) FROM (SELECT start_time FROM spans ORDER BY start_time DESC LIMIT {most})), 0)"
    )
}
