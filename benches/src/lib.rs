//! Inputs for the measurements, the same at every run, and what measurements of whole processes need.

mod load;
mod log;
mod process;
mod report;
pub mod signatures;

pub use load::Load;
pub use log::write_log;
pub use process::{cpu_time, resident_bytes};
pub use report::{is_quick, median, write_report};

use aiwaf_core::{BlacklistEntry, KeywordEntry, KeywordSource, Lists, Timestamp, parse_network};

/// A moment that all measurements begin at.
pub const START: Timestamp = Timestamp::from_unix_micros(1_700_000_000_000_000);

/// The headers of a browser that opens a page.
pub const BROWSER_HEADERS: [(&str, &str); 8] = [
    ("host", "www.example.com"),
    (
        "user-agent",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36",
    ),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("accept-language", "en-US,en;q=0.9"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("connection", "keep-alive"),
    ("referer", "https://www.example.com/"),
    ("cookie", "session=1d7e5ab0c0ffee; theme=dark"),
];

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
