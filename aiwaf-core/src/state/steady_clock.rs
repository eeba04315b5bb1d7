//! Time that never runs backwards, made of a clock that may.

/// Moves `newest` on to `now` and says by how much; both in the same unit.
///
/// A clock that is up to `tolerance` behind is that of another thread: nothing has passed, and `newest` stays. One
/// that is further behind was set back: nothing has passed either, but from here on time is counted from `now`, so
/// that nobody has to wait until the clock has caught up.
pub(crate) fn advance(newest: &mut i64, now: i64, tolerance: i64) -> u64 {
    if now < *newest {
        if newest.saturating_sub(now) > tolerance {
            *newest = now;
        }
        return 0;
    }
    let elapsed = now.abs_diff(*newest);
    *newest = now;
    elapsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_lags_stays_and_one_that_was_set_back_is_followed() {
        let mut newest = 100;
        assert_eq!(advance(&mut newest, 130, 10), 30);
        assert_eq!((advance(&mut newest, 125, 10), newest), (0, 130));
        assert_eq!((advance(&mut newest, 20, 10), newest), (0, 20));
        assert_eq!(advance(&mut newest, 25, 10), 5);
    }

    #[test]
    fn the_ends_of_time_are_in_range() {
        let mut newest = i64::MIN;
        assert_eq!(advance(&mut newest, i64::MAX, 1), u64::MAX);
        assert_eq!((advance(&mut newest, i64::MIN, 1), newest), (0, i64::MIN));
    }
}
