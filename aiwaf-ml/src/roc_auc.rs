//! How well scores tell two kinds of rows apart.

/// The area under the receiver operating characteristic: the probability that a row with the label `true` has a higher
/// score than one with `false`, where equal scores count half. 1 is perfect, 0.5 is chance.
///
/// `None` unless there are as many scores as labels, both labels, and no NaN. Costs a sorting.
///
/// ```
/// let area = aiwaf_ml::roc_auc(&[0.9, 0.4, 0.6, 0.1], &[true, true, false, false]);
/// assert_eq!(area, Some(0.75));
/// ```
#[allow(clippy::cast_precision_loss)] // of numbers of rows
pub fn roc_auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    if scores.len() != labels.len() || scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let mut ranked: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    ranked.sort_unstable_by(|(one, _), (other, _)| one.total_cmp(other));
    let (mut below, mut pairs) = (0usize, 0.0);
    #[allow(clippy::float_cmp)] // equal scores are what is meant
    for ties in ranked.chunk_by(|(one, _), (other, _)| one == other) {
        let positive = ties.iter().filter(|(_, label)| *label).count();
        let negative = ties.len() - positive;
        pairs += positive as f64 * (below as f64 + negative as f64 / 2.0);
        below += negative;
    }
    let positive = ranked.len() - below;
    (positive > 0 && below > 0).then(|| pairs / (positive as f64 * below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_those_of_the_definition() {
        let area = |scores: &[f64], labels: &[bool]| roc_auc(scores, labels).map(|area| area.to_string());
        assert_eq!(area(&[0.1, 0.2, 0.3], &[false, false, true]).as_deref(), Some("1"));
        assert_eq!(area(&[0.1, 0.2, 0.3], &[true, false, false]).as_deref(), Some("0"));
        assert_eq!(area(&[0.5, 0.5, 0.5, 0.5], &[true, false, true, false]).as_deref(), Some("0.5"));
        assert_eq!(area(&[0.0, -0.0], &[true, false]).as_deref(), Some("0.5"));
        for (scores, labels) in [
            (&[0.1][..], &[true][..]),
            (&[0.1, 0.2], &[true]),
            (&[f64::NAN, 0.1], &[true, false]),
            (&[], &[]),
        ] {
            assert_eq!(area(scores, labels), None);
        }
    }
}
