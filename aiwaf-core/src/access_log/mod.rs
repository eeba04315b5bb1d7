//! Access logs: one record of a request, and the formats in which it is written and read.
//!
//! Every format's writer and parser stand side by side in one file and are tested against each other with hostile
//! values, so what the service logs is what training reads. Writing and parsing are pure and linear in the line's
//! length; parsing copies only fields that hold escapes.
//!
//! | field | `common` | `combined` | `csv` | `json` |
//! |---|---|---|---|---|
//! | time | seconds | seconds | microseconds | microseconds |
//! | client, method, target, protocol, status, bytes | yes | yes | yes | yes |
//! | referer, agent | - | yes | yes, but an empty one reads back as none | yes |
//! | response time | - | milliseconds | microseconds | microseconds |
//! | block: reason, protection, action, monitored | - | yes | yes | yes |
//!
//! One record is exactly one line, whatever it holds. Control bytes, quotes and backslashes are written as `\n`,
//! `\"`, `\\` or `\xhh` (as Apache writes them); JSON has its own escapes, and bytes that are no UTF-8 go into an
//! extra key in the same notation. A csv cell that a spreadsheet would take for a formula has its first
//! character written as `\xhh`. Values longer than [`AccessRecord::MAX_FIELD`] are cut and end in `[truncated]`.

mod address;
mod combined;
mod common;
mod csv;
mod detection;
mod digits;
mod entry;
mod escape;
mod format;
mod json;
mod line_parser;
mod line_writer;
mod pattern;
mod plain;
mod record;
#[cfg(test)]
mod reference;
mod second_text;
mod server_json;
#[cfg(test)]
mod tests;
mod time;
mod w3c;
mod well_known;
mod wrapper;

pub use entry::{LogEntry, LoggedBlock};
pub use format::{LineError, LogFormat, UnknownLogFormat};
pub use line_parser::{LineFormat, LineParser};
pub use line_writer::LineWriter;
pub use pattern::{InvalidPattern, LogPattern};
pub use record::{AccessRecord, BlockAction, BlockMark, LoggedClient};
