//! Figures over time brought to as many buckets as there is room for.

/// At most `most` figures: neighbours are summed, and what is negative or not finite counts as 0.
pub(crate) fn buckets(figures: &[f64], most: usize) -> Vec<f64> {
    if figures.is_empty() || most == 0 {
        return Vec::new();
    }
    let each = figures.len().div_ceil(most);
    figures
        .chunks(each)
        .map(|chunk| chunk.iter().filter(|figure| figure.is_finite() && **figure > 0.0).sum())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_summed_and_nothing_is_lost() {
        assert_eq!(buckets(&[1.0, 2.0, 3.0, 4.0, 5.0], 2), [6.0, 9.0]);
        assert_eq!(buckets(&[1.0, f64::NAN, -3.0], 5), [1.0, 0.0, 0.0]);
        assert!(buckets(&[1.0], 0).is_empty());
    }
}
