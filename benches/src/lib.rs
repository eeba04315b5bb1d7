//! Inputs for the measurements, the same at every run, and what measurements of whole processes need.

mod browsing;
mod generator;
mod headers;
mod load;
mod log;
mod process;
mod report;
pub mod signatures;

pub use browsing::browsing;
pub use generator::{Generator, run_if_generator};
pub use headers::{BROWSER_HEADERS, CHROME_HEADERS};
pub use load::LoadFigures;
pub use log::write_log;
pub use process::{CpuTime, resident_bytes};
pub use report::{is_quick, median, quantile, write_report};

use aiwaf_core::{BlacklistEntry, KeywordEntry, KeywordSource, Lists, Timestamp, parse_network};

/// A moment that all measurements begin at.
pub const START: Timestamp = Timestamp::from_unix_micros(1_700_000_000_000_000);

/// Lists with so many bans (three in four of single IPv4 addresses, the rest IPv6 /64 and IPv4 /24) and keywords.
pub fn lists(bans: u32, keywords: u32) -> Lists {
    let network = |number: u32| {
        // An odd factor visits every 32-bit value once, in an order that looks random.
        let bits = number.wrapping_mul(2_654_435_761);
        let [a, b, c, d] = bits.to_be_bytes();
        match number % 8 {
            0 => format!("2a0{:x}:{:x}:{b:x}{c:x}:{d:x}::/64", a % 16, u16::from(a) << 8 | u16::from(b)),
            1 => format!("{a}.{b}.{c}.0/24"),
            _ => format!("{a}.{b}.{c}.{d}"),
        }
    };
    Lists {
        blacklist: (0..bans)
            .filter_map(|number| parse_network(&network(number)).ok())
            .map(|network| BlacklistEntry::manual(network, "measured", START))
            .collect(),
        keywords: (0..keywords)
            .map(|number| KeywordEntry {
                keyword: format!("probe{number:x}-{:x}", number.wrapping_mul(2_654_435_761)),
                count: 1,
                source: KeywordSource::Learned,
                added: None,
            })
            .collect(),
        ..Lists::default()
    }
}
