//! Cells that a spreadsheet would take for a formula are written as text, and read back as they were.

use std::borrow::Cow;

/// The cell as it is written: with an apostrophe before what a spreadsheet would calculate.
///
/// What begins with apostrophes before such a character gets one more, so that [`unguard`] is exact.
pub(super) fn guard(cell: &str) -> Cow<'_, str> {
    if is_formula(cell.trim_start_matches('\'')) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// The cell as it was before [`guard`].
pub(super) fn unguard(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest,
        _ => cell,
    }
}

fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text() {
        for formula in ["=1+1", "+A1", "-2", "@SUM(A1)", "\t=1", "'=1"] {
            assert!(guard(formula).starts_with('\''), "{formula}");
            assert_eq!(unguard(&guard(formula)), formula);
        }
        assert_eq!(guard("'quoted' and a=b"), "'quoted' and a=b");
    }

    proptest::proptest! {
        #[test]
        fn reads_back_exactly(cell in "['=+@a-]{0,6}") {
            let guarded = guard(&cell);
            proptest::prop_assert_eq!(unguard(&guarded), cell.as_str());
        }
    }
}
