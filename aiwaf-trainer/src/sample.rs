//! A random sample of all requests, for the model.

use aiwaf_core::{ClientKey, FEATURE_COUNT};

/// A request as the model sees it, and what is shown of it.
#[derive(Debug, Clone)]
pub(crate) struct SampledRow {
    /// The features; the response time is NaN if the log does not say it.
    pub(crate) features: [f64; FEATURE_COUNT],
    pub(crate) client: ClientKey,
    pub(crate) target: Box<str>,
}

/// A sample of fixed size in which every request is with the same probability: reservoir sampling, algorithm R of
/// Vitter (1985), with randomness that only depends on the seed.
pub(crate) struct Reservoir {
    rows: Vec<SampledRow>,
    capacity: usize,
    seen: u64,
    random: SplitMix,
}

impl Reservoir {
    pub(crate) fn new(capacity: usize, seed: u64) -> Self {
        Self { rows: Vec::new(), capacity, seen: 0, random: SplitMix(seed) }
    }

    /// Offers a row, which is made only if it is taken.
    pub(crate) fn offer(&mut self, row: impl FnOnce() -> SampledRow) {
        self.seen += 1;
        if self.rows.len() < self.capacity {
            self.rows.push(row());
            return;
        }
        let place = self.random.below(self.seen);
        if let Some(slot) = usize::try_from(place).ok().and_then(|place| self.rows.get_mut(place)) {
            *slot = row();
        }
    }

    pub(crate) fn rows(&self) -> &[SampledRow] {
        &self.rows
    }

    /// How many rows were offered.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }
}

/// Steele, Lea and Flood (2014): small, fast, and the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, by multiplication (Lemire 2019), whose bias is nothing at these sizes.
    fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(bound)) >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: f64) -> SampledRow {
        let client = ClientKey::new([192, 0, 2, 7].into(), 64);
        SampledRow { features: [number; FEATURE_COUNT], client, target: "/".into() }
    }

    #[test]
    fn every_row_has_the_same_chance() {
        let mut reservoir = Reservoir::new(1000, 7);
        for number in 0..100_000 {
            reservoir.offer(|| row(f64::from(number)));
        }
        assert_eq!((reservoir.rows().len(), reservoir.seen()), (1000, 100_000));
        let mean = reservoir.rows().iter().map(|row| row.features[0]).sum::<f64>() / 1000.0;
        assert!((45_000.0..55_000.0).contains(&mean), "{mean}");
    }

    #[test]
    fn the_seed_decides() {
        let sample = |seed| {
            let mut reservoir = Reservoir::new(10, seed);
            (0..1000).for_each(|number| reservoir.offer(|| row(f64::from(number))));
            reservoir.rows().iter().map(|row| row.features[0].to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(sample(1), sample(1));
        assert_ne!(sample(1), sample(2));
    }
}
