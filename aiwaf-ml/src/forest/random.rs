//! Random numbers that are the same on every machine and in every version of this crate.

/// The generator xoshiro256++ (Blackman and Vigna 2021), seeded by SplitMix64 (Steele, Lea and Flood 2014).
///
/// Of its own, because a crate's release that draws in another order would change every model: a model is promised to
/// be the same for the same data and seed.
pub(super) struct Random {
    state: [u64; 4],
    /// The second of the two normal numbers that come at a time.
    spare: Option<f64>,
}

impl Random {
    /// The stream of numbers with this number under `seed`: every tree has its own, so that it does not matter which
    /// thread grows it, and when.
    pub(super) fn stream(seed: u64, stream: u64) -> Self {
        let mut counter = mix(seed) ^ mix(!stream);
        let state = [(); 4].map(|()| {
            counter = counter.wrapping_add(GOLDEN_RATIO);
            mix(counter)
        });
        Self { state, spare: None }
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A whole number from 0 to below `bound`, all equally likely (Lemire 2019); 0 if `bound` is 0.
    #[allow(clippy::cast_possible_truncation)] // the halves of 128 bits; the upper one is below `bound`
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        let mut product = u128::from(self.next()) * u128::from(bound);
        if (product as u64) < bound {
            let unfair = bound.wrapping_neg() % bound;
            while (product as u64) < unfair {
                product = u128::from(self.next()) * u128::from(bound);
            }
        }
        (product >> 64) as usize
    }

    /// A number from 0 to below 1, in steps of 2^-53.
    #[allow(clippy::cast_precision_loss)] // 53 bits are exact
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// A number between two finite ones.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        let share = self.unit();
        // Not `low + share * (high - low)`: the difference of two large numbers may be infinite.
        low * (1.0 - share) + high * share
    }

    /// A number with mean 0 and variance 1, normally distributed (Marsaglia's polar method).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let factor = (-2.0 * libm::log(square) / square).sqrt();
                self.spare = Some(y * factor);
                return x * factor;
            }
        }
    }
}

const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer of SplitMix64.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the reference implementation for the state 1, 2, 3, 4.
    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = Random { state: [1, 2, 3, 4], spare: None };
        let numbers = [(); 4].map(|()| random.next());
        assert_eq!(numbers, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn streams_differ_and_repeat() {
        let first = |seed, stream| Random::stream(seed, stream).next();
        assert_eq!(first(7, 1), first(7, 1));
        let different = [first(0, 0), first(0, 1), first(1, 0), first(1, 1), first(u64::MAX, 0)];
        assert!((1..5).all(|number| !different[..number].contains(&different[number])), "{different:?}");
    }

    #[test]
    fn numbers_below_a_bound_are_equally_likely() {
        let mut random = Random::stream(1, 0);
        let mut counts = [0u32; 5];
        (0..50_000).for_each(|_| counts[random.below(5)] += 1);
        assert!(counts.iter().all(|count| (9_700..10_300).contains(count)), "{counts:?}");
        assert_eq!([random.below(0), random.below(1)], [0, 0]);
    }

    #[test]
    fn normal_numbers_have_the_moments_of_the_normal_distribution() {
        let mut random = Random::stream(2, 0);
        let numbers: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let moment = |power| numbers.iter().map(|number| number.powi(power)).sum::<f64>() / 100_000.0;
        assert!(moment(1).abs() < 0.02, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.02, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.1, "{}", moment(4));
    }

    #[test]
    fn numbers_between_stay_finite() {
        let mut random = Random::stream(3, 0);
        for _ in 0..1000 {
            let number = random.between(f64::MIN, f64::MAX);
            assert!(number.is_finite());
            assert!((0.0..1.0).contains(&random.unit()));
        }
    }
}
