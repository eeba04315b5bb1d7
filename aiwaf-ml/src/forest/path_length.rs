//! How deep a row is expected to lie.

/// c(n): the mean depth of an unsuccessful search in a binary search tree of `rows` rows (Liu, Ting and Zhou 2008,
/// equation 1), by which path lengths are made comparable. 0 for less than two rows, 1 for two, as scikit-learn has it.
pub(super) fn average_path_length(rows: u32) -> f64 {
    match rows {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let rows = f64::from(rows);
            // The logarithm of a crate, because that of the platform differs in its last bit from one to another.
            2.0 * (libm::log(rows - 1.0) + EULER_GAMMA) - 2.0 * (rows - 1.0) / rows
        }
    }
}

/// The Euler-Mascheroni constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// The lowest tree that can tell so many rows apart: the paper's height limit, ceil(log2 n), and at least 1.
pub(crate) fn height_limit(rows: u32) -> u32 {
    rows.max(2).next_power_of_two().trailing_zeros()
}

/// 2^(-E(h)/c(n)), from 0 (deep, ordinary) to 1 (at the root, strange).
///
/// It is rounded to a multiple of 2^-40, about 1e-12, so that sums of equal paths in another order are equal, and rows that
/// are all alike score 0.5 and not a trifle more, which would be beyond the threshold.
///
/// 0.5 where no path can be compared with another, because the trees were grown from a single row.
pub(super) fn score(mean_path_length: f64, normal_path_length: f64) -> f64 {
    let score =
        if normal_path_length > 0.0 { libm::exp2(-mean_path_length / normal_path_length) } else { 0.5 };
    (score + ROUNDER) - ROUNDER
}

/// Numbers from here to twice as much are multiples of 2^-40.
const ROUNDER: f64 = 4096.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_the_paper() {
        assert_eq!([0, 1, 2].map(|rows| average_path_length(rows).to_string()), ["0", "0", "1"]);
        // As scikit-learn 1.9.1 computes them.
        for (rows, expected) in
            [(3, 1.207_392_357_589_6), (255, 10.236_943_001_095), (65_536, 21.335_141_107_488)]
        {
            assert!((average_path_length(rows) - expected).abs() < 1e-11, "{rows}");
        }
        assert_eq!([1, 2, 3, 255, 256, 257].map(height_limit), [1, 1, 2, 8, 8, 9]);
    }

    #[test]
    fn an_average_row_scores_one_half() {
        let normal = average_path_length(256);
        let scores = [score(normal, normal), score(0.0, normal), score(1.0, 0.0)];
        assert_eq!(scores.map(|score| score.to_string()), ["0.5", "1", "0.5"]);
    }
}
