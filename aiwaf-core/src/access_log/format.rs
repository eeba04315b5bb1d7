//! The formats by name, and reading and writing through them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entry::LogEntry;
use super::line_writer::LineWriter;
use super::record::{AccessRecord, BlockMark, LoggedClient};
use super::{combined, csv, json, time};

/// A format of access logs. The table in the module's description says which fields each carries.
///
/// ```
/// use aiwaf_core::LogFormat;
///
/// let line = br#"2001:db8::7 - - [14/Sep/2025:15:02:41 +0900] "GET /a b HTTP/1.1" 304 - "-" "curl/8" 250ms - "-""#;
/// let record = LogFormat::Combined.parse_line(line)?;
/// assert_eq!(&*record.target, b"/a b");
/// assert_eq!(record.response_time, Some(std::time::Duration::from_millis(250)));
/// assert_eq!("combined".parse(), Ok(LogFormat::Combined));
/// # Ok::<(), aiwaf_core::LineError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum LogFormat {
    /// The combined format of Apache and nginx, followed by response time and block: the default.
    #[default]
    Combined,
    /// The common format, as the oldest tools read it: neither agent nor blocks.
    Common,
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Combined, Self::Common, Self::Csv, Self::Json];

    /// The longest response time that is written: a year.
    pub const MAX_RESPONSE_TIME: Duration = Duration::from_hours(366 * 24);

    /// The longest line that is written, in bytes: every field at its longest, every byte escaped twice.
    pub const MAX_LINE: usize = 384 * 1024;

    /// The name, as it stands in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Combined => "combined",
            Self::Common => "common",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// The line that a file begins with, with its line break; `None` if the format has no header.
    pub const fn header(self) -> Option<&'static str> {
        match self {
            Self::Csv => Some(csv::HEADER),
            Self::Combined | Self::Common | Self::Json => None,
        }
    }

    /// Appends `record` to `out`: exactly one line with its line break, at most [`MAX_LINE`](Self::MAX_LINE)
    /// bytes whatever the record holds.
    /// Everything but csv and JSON text is ASCII, and that is UTF-8.
    pub fn write(self, record: &AccessRecord<'_>, out: &mut Vec<u8>) {
        LineWriter::new().write(self, &LogEntry::from(record), out);
    }

    /// What this format carries of `record`: [`parse_line`](Self::parse_line) of what [`write`](Self::write) wrote
    /// equals it. Borrows from `record`; only what is too long is copied.
    pub fn carried<'b>(self, record: &'b AccessRecord<'_>) -> AccessRecord<'b> {
        let text = |value: &'b Cow<'_, [u8]>| bounded(value, AccessRecord::MAX_FIELD);
        let word = |value: &'b Cow<'_, [u8]>| bounded(value, AccessRecord::MAX_WORD);
        // An empty cell is a missing header.
        let header = |value: &'b Option<Cow<'_, [u8]>>| {
            value.as_ref().filter(|value| self != Self::Csv || !value.is_empty()).map(text)
        };
        let time = time::clamp(record.time);
        let mut carried = AccessRecord {
            time: match self {
                Self::Combined | Self::Common => time::whole_seconds(time),
                Self::Csv | Self::Json => time,
            },
            client: match &record.client {
                LoggedClient::Address(address) => LoggedClient::Address(*address),
                LoggedClient::Name(name) => LoggedClient::from(word(name)),
            },
            method: word(&record.method),
            target: text(&record.target),
            protocol: word(&record.protocol),
            status: record.status,
            bytes: record.bytes,
            referer: None,
            user_agent: None,
            response_time: None,
            block: None,
        };
        if self != Self::Common {
            carried.referer = header(&record.referer);
            carried.user_agent = header(&record.user_agent);
            carried.response_time = record.response_time.map(|taken| self.response_time(taken));
            carried.block =
                record.block.as_ref().map(|mark| BlockMark { reason: text(&mark.reason), ..*mark });
        }
        carried
    }

    fn response_time(self, taken: Duration) -> Duration {
        let taken = taken.min(Self::MAX_RESPONSE_TIME);
        let unit = if self == Self::Combined { 1_000_000 } else { 1_000 };
        Duration::new(taken.as_secs(), taken.subsec_nanos() / unit * unit)
    }

    /// A response time as it is written: in microseconds, at most [`MAX_RESPONSE_TIME`](Self::MAX_RESPONSE_TIME).
    #[inline]
    pub(super) fn written_micros(taken: Duration) -> u64 {
        let taken = taken.min(Self::MAX_RESPONSE_TIME);
        taken.as_secs() * 1_000_000 + u64::from(taken.subsec_micros())
    }

    /// Reads one line, with or without its line break, of this format as we, the original, Apache or nginx write
    /// it. Linear in the line's length. Combined and common read each other's lines; csv takes the columns to
    /// be those of our header, or of the original's if there are eight ([`LineParser`](crate::LineParser) heeds the header).
    ///
    /// # Errors
    /// [`LineError`] names the field that is missing or wrong.
    pub fn parse_line(self, line: &[u8]) -> Result<AccessRecord<'_>, LineError> {
        let line = trim_line(line);
        match self {
            Self::Combined | Self::Common => combined::parse(line),
            Self::Csv => csv::parse(line),
            Self::Json => json::parse(line),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| UnknownLogFormat { name: text.chars().take(64).collect() })
    }
}

impl TryFrom<String> for LogFormat {
    type Error = UnknownLogFormat;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LogFormat> for &'static str {
    fn from(format: LogFormat) -> Self {
        format.name()
    }
}

/// Why a line is no record of a format. Names the field, as the format spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The line ends before the field, or has no such column or key.
    #[error("no {field} in this line: is it of another log format?")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// The field is there and is not what it should be.
    #[error("unreadable {field} in this line: is it of another log format?")]
    Invalid {
        /// The field.
        field: &'static str,
    },
    /// A quote is not closed: the line was cut.
    #[error("the quotes around {field} are not closed: was the line cut?")]
    Unterminated {
        /// The field.
        field: &'static str,
    },
    /// The line is no JSON object with the right types.
    #[error("not a JSON object of a request (column {column}): is the line cut or of another log format?")]
    Json {
        /// Where, in bytes, counted from 1.
        column: usize,
    },
}

/// A name that is no log format's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown log format {name:?}: use combined, common, csv or json")]
pub struct UnknownLogFormat {
    name: String,
}

/// What a value that was cut ends in.
const TRUNCATED: &[u8] = b"[truncated]";

/// `value`, or as much of it as fits into `limit` bytes together with a mark; not cut within a character.
fn bounded(value: &[u8], limit: usize) -> Cow<'_, [u8]> {
    if value.len() <= limit {
        return Cow::Borrowed(value);
    }
    let mut end = limit.saturating_sub(TRUNCATED.len());
    for _ in 0..3 {
        if value.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
            end = end.saturating_sub(1);
        }
    }
    Cow::Owned([value.get(..end).unwrap_or_default(), TRUNCATED].concat())
}

pub(super) fn trim_line(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_errors_name_them() {
        for format in LogFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert_eq!(serde_json::to_string(&format).unwrap(), format!("\"{format}\""));
            let message = "xml".parse::<LogFormat>().unwrap_err().to_string();
            assert!(message.contains(format.name()), "{message}");
        }
    }

    #[test]
    fn long_values_are_cut_between_characters_and_marked() {
        let value = "\u{20ac}".repeat(100);
        let cut = bounded(value.as_bytes(), 100);
        assert!(cut.len() <= 100 && cut.ends_with(TRUNCATED));
        assert!(std::str::from_utf8(&cut).is_ok());
        assert_eq!(bounded(&cut, 100), cut);
    }
}
