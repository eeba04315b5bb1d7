//! How measurements that criterion can't make hand on what they found.

use std::path::Path;

/// Whether a rough figure is enough: `--quick` was given.
pub fn is_quick() -> bool {
    std::env::args().any(|argument| argument == "--quick")
}

/// The middle of `values`, of two middle ones the mean; NaN if there is none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    match (values.get(upper.wrapping_sub(1)), values.get(upper)) {
        (Some(lower), Some(upper)) if values.len().is_multiple_of(2) => f64::midpoint(*lower, *upper),
        (_, Some(middle)) => *middle,
        _ => f64::NAN,
    }
}

/// The value below which `share` of `values` lie, by the nearest rank; NaN without values.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small counts
pub fn quantile(values: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Writes `figures` as `aiwaf-bench/NAME.json` into cargo's target directory, the parent of `target_tmpdir`, which
/// cargo tells every bench as `CARGO_TARGET_TMPDIR`.
///
/// # Errors
/// If the file can't be written.
pub fn write_report(target_tmpdir: &str, name: &str, figures: &serde_json::Value) -> std::io::Result<()> {
    let target = Path::new(target_tmpdir).parent().unwrap_or(Path::new("target"));
    let directory = target.join("aiwaf-bench");
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join(format!("{name}.json")), format!("{figures:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle() {
        let medians = [median([3.0, 1.0, 2.0]), median([4.0, 1.0, 2.0, 3.0]), median([7.0])];
        assert_eq!(format!("{medians:?}"), "[2.0, 2.5, 7.0]");
        assert!(median([]).is_nan());
    }

    #[test]
    fn quantiles_are_values() {
        let quantiles = [0.0, 0.5, 1.0].map(|share| quantile([3.0, 1.0, 2.0], share));
        assert_eq!(format!("{quantiles:?}"), "[1.0, 2.0, 3.0]");
        assert!(quantile([], 0.5).is_nan());
    }
}
