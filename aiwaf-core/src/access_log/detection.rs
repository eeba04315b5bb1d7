//! Which of our formats is this line?

use super::csv::Columns;
use super::format::LogFormat;
use super::{common, csv, json};

impl LogFormat {
    /// The format of `line`, a line of a log (the first one with anything in it is best, for csv's header); `None`
    /// if no format reads it. Costs one parse for each format at most.
    ///
    /// ```
    /// use aiwaf_core::LogFormat;
    ///
    /// let line = br#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET / HTTP/1.1" 200 -"#;
    /// assert_eq!(LogFormat::detect(line), Some(LogFormat::Common));
    /// assert_eq!(LogFormat::detect(b"Sep 14 15:02:41 host sshd[7]: Invalid user"), None);
    /// ```
    pub fn detect(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii();
        if line.first() == Some(&b'{') {
            return json::parse(line).is_ok().then_some(Self::Json);
        }
        if let Ok((_, rest)) = common::parse(line) {
            return Some(if rest.is_empty() { Self::Common } else { Self::Combined });
        }
        (csv::parse(line).is_ok() || Columns::from_header(line).is_some()).then_some(Self::Csv)
    }
}
