//! Where the border between ordinary and strange lies.

/// What the paper takes for it.
pub(super) const AUTO: f64 = 0.5;

/// The score that this share of `scores` exceeds, interpolated between the two next to it, as scikit-learn does.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // of numbers of rows
pub(super) fn exceeded_by(scores: &mut [f64], share: f64) -> f64 {
    let Some(last) = scores.len().checked_sub(1) else { return AUTO };
    let place = (1.0 - share) * last as f64;
    let (_, lower, above) = scores.select_nth_unstable_by((place as usize).min(last), f64::total_cmp);
    let lower = *lower;
    let upper = above.iter().copied().reduce(f64::min).unwrap_or(lower);
    lower + (upper - lower) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy.percentile([0, 1, 2, 3, 4], 100 * (1 - share)).
    #[test]
    fn the_threshold_is_interpolated() {
        for (share, expected) in [(0.0, 4.0), (0.05, 3.8), (0.25, 3.0), (0.3, 2.8), (0.5, 2.0)] {
            let found = exceeded_by(&mut [3.0, 0.0, 4.0, 1.0, 2.0], share);
            assert!((found - expected).abs() < 1e-12, "{share}: {found}");
        }
        assert_eq!(
            [exceeded_by(&mut [0.7], 0.1), exceeded_by(&mut [], 0.1)].map(|t| t.to_string()),
            ["0.7", "0.5"]
        );
    }
}
