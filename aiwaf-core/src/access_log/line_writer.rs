//! Log lines at the cost of copying their values.

use std::net::IpAddr;

use super::entry::{LogEntry, ReasonBuffer};
use super::format::LogFormat;
use super::record::AccessRecord;
use super::second_text::SecondText;
use super::{address, combined, common, csv, digits, escape, json};
use crate::timestamp::Timestamp;

/// Writes log lines, and keeps the calendar text of the last second for the next line.
///
/// A line costs some hundred instructions and, once `out` has grown, no allocation; only values longer than
/// [`AccessRecord::MAX_FIELD`], targets of more than 512 bytes that JSON or csv must escape, and reasons of more than
/// 256 bytes allocate. Keep one per thread. [`LogEntry`] has an example.
#[derive(Debug, Clone)]
pub struct LineWriter {
    second: SecondText,
}

/// What the writer of a format gets.
pub(super) struct EntryLine<'l> {
    pub(super) entry: &'l LogEntry<'l>,
    /// The text of the block's reason; empty without a block.
    pub(super) reason: &'l [u8],
    pub(super) second: &'l mut SecondText,
}

impl LineWriter {
    /// A writer that has written nothing yet.
    pub const fn new() -> Self {
        Self { second: SecondText::new() }
    }

    /// Appends `entry` to `out`: exactly one line with its line break, at most [`LogFormat::MAX_LINE`] bytes whatever the
    /// entry holds. The bytes are those of [`LogFormat::write`] for the same request.
    pub fn write(&mut self, format: LogFormat, entry: &LogEntry<'_>, out: &mut Vec<u8>) {
        let mut buffer = ReasonBuffer::default();
        let reason = entry.block.as_ref().map_or(&b""[..], |block| block.reason(&mut buffer));
        if entry.is_bounded() && reason.len() <= AccessRecord::MAX_FIELD {
            self.write_bounded(format, entry, reason, out);
        } else {
            self.write_truncated(format, entry, reason, out);
        }
    }

    #[cold]
    fn write_truncated(&mut self, format: LogFormat, entry: &LogEntry<'_>, reason: &[u8], out: &mut Vec<u8>) {
        let record = entry.to_record(reason);
        let carried = format.carried(&record);
        let reason = carried.block.as_ref().map_or(&b""[..], |mark| &mark.reason);
        self.write_bounded(format, &LogEntry::from(&carried), reason, out);
    }

    fn write_bounded(&mut self, format: LogFormat, entry: &LogEntry<'_>, reason: &[u8], out: &mut Vec<u8>) {
        let line = EntryLine { entry, reason, second: &mut self.second };
        match format {
            LogFormat::Combined => combined::write(line, out),
            LogFormat::Common => common::write(entry, line.second, out),
            LogFormat::Csv => csv::write(line, out),
            LogFormat::Json => json::write(line, out),
        }
        out.push(b'\n');
    }

    /// Appends `time` as `2025-09-14T15:02:41.250000Z`, the text of its `Display` for the years 0 to 9999; other times are
    /// written as the nearest of these.
    pub fn push_time(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        self.second.push_rfc3339(time, out);
    }

    /// Appends `value` for a place between double quotes: printable ASCII but `"` and `\` as it is, the rest escaped as
    /// `\n`, `\"`, `\\` or `\xhh`.
    pub fn push_quoted(value: &[u8], out: &mut Vec<u8>) {
        escape::push_quoted(out, value);
    }

    /// Appends `value` as one word: as [`push_quoted`](Self::push_quoted), with blanks escaped as well.
    pub fn push_word(value: &[u8], out: &mut Vec<u8>) {
        escape::push_word(out, value);
    }

    /// Appends `number` in decimal.
    pub fn push_number(number: u64, out: &mut Vec<u8>) {
        digits::push(out, number);
    }

    /// Appends an IP address, the text of its `Display`.
    pub fn push_address(address: IpAddr, out: &mut Vec<u8>) {
        address::push(out, address);
    }
}

impl Default for LineWriter {
    fn default() -> Self {
        Self::new()
    }
}
