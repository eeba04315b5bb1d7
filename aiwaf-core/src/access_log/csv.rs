//! Comma-separated values: the columns of the original, then ours.
//!
//! Our cells use the escapes of the combined format, so that no cell breaks a line, and no cell begins as a formula
//! does. The original's cells are taken as they are; a file is ours if its header has a column `protection`.

use std::borrow::Cow;
use std::time::Duration;

use super::entry::Target;
use super::escape::{is_confusing, is_plain, push_bytes, unescape};
use super::format::{LineError, LogFormat};
use super::line_writer::EntryLine;
use super::plain::is_printable_without;
use super::record::{AccessRecord, BlockAction, BlockMark, LoggedClient, protection_from_name};
use super::{address, common, digits, time};

/// The header line of our files: the original's eight columns, in its order, and what it did not keep.
pub(super) const HEADER: &str = "timestamp,ip,method,path,status_code,response_time_ms,blocked,block_reason,\
    protocol,bytes,referer,user_agent,response_time_us,protection,action,monitored\n";

/// The names of the columns, in the order of [`Column`] and of our header.
const NAMES: [&str; 16] = [
    "timestamp",
    "ip",
    "method",
    "path",
    "status_code",
    "response_time_ms",
    "blocked",
    "block_reason",
    "protocol",
    "bytes",
    "referer",
    "user_agent",
    "response_time_us",
    "protection",
    "action",
    "monitored",
];

/// What others call these columns. Who asked is never taken from a forwarding header.
const OTHER_NAMES: [(&str, Column); 27] = [
    ("time", Column::Timestamp),
    ("datetime", Column::Timestamp),
    ("date", Column::Timestamp),
    ("@timestamp", Column::Timestamp),
    ("time_iso8601", Column::Timestamp),
    ("time_local", Column::Timestamp),
    ("client_ip", Column::Ip),
    ("clientip", Column::Ip),
    ("ip_address", Column::Ip),
    ("remote_addr", Column::Ip),
    ("remote_ip", Column::Ip),
    ("request_method", Column::Method),
    ("http_method", Column::Method),
    ("verb", Column::Method),
    ("uri", Column::Path),
    ("url", Column::Path),
    ("request_uri", Column::Path),
    ("status", Column::StatusCode),
    ("response_code", Column::StatusCode),
    ("server_protocol", Column::Protocol),
    ("size", Column::Bytes),
    ("body_bytes_sent", Column::Bytes),
    ("referrer", Column::Referer),
    ("http_referer", Column::Referer),
    ("user-agent", Column::UserAgent),
    ("http_user_agent", Column::UserAgent),
    ("agent", Column::UserAgent),
];

/// How many columns the original has.
const ORIGINAL_COLUMNS: usize = 8;

/// A header with more columns is none: no tool writes that many, and they would have to be kept.
const MAX_COLUMNS: usize = 256;

/// A column that is read, as its place in [`NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Timestamp,
    Ip,
    Method,
    Path,
    StatusCode,
    ResponseTimeMs,
    Blocked,
    BlockReason,
    Protocol,
    Bytes,
    Referer,
    UserAgent,
    ResponseTimeUs,
    Protection,
    Action,
    Monitored,
}

/// Appends the entry of `line` without a line break.
pub(super) fn write(line: EntryLine<'_>, out: &mut Vec<u8>) {
    let EntryLine { entry, reason, second } = line;
    second.push_iso(entry.time, out);
    out.push(b',');
    match &entry.client {
        LoggedClient::Address(address) => address::push(out, *address),
        LoggedClient::Name(name) => push_cell(out, name),
    }
    out.push(b',');
    push_cell(out, entry.method);
    out.push(b',');
    push_target(out, entry.target());
    out.push(b',');
    digits::push(out, entry.status.into());
    out.push(b',');
    let micros = entry.response_time.map(LogFormat::written_micros);
    push_number(out, micros.map(|micros| micros / 1000));
    let block = entry.block.as_ref();
    let is_monitored = block.is_some_and(|block| block.monitored);
    out.extend_from_slice(if block.is_some() && !is_monitored { b",True," } else { b",False," });
    push_cell(out, reason);
    out.push(b',');
    push_cell(out, entry.protocol);
    out.push(b',');
    push_number(out, entry.bytes);
    out.push(b',');
    push_cell(out, entry.referer.as_deref().unwrap_or_default());
    out.push(b',');
    push_cell(out, entry.user_agent.unwrap_or_default());
    out.push(b',');
    push_number(out, micros);
    out.push(b',');
    if let Some(block) = block {
        out.extend_from_slice(block.protection.map_or("", |known| known.name()).as_bytes());
        out.push(b',');
        out.extend_from_slice(block.action.name().as_bytes());
    } else {
        out.push(b',');
    }
    // As the original writes them.
    out.extend_from_slice(if is_monitored { b",True" } else { b",False" });
}

fn push_number(out: &mut Vec<u8>, number: Option<u64>) {
    if let Some(number) = number {
        digits::push(out, number);
    }
}

/// Appends the cell of a target, in one piece if it is plain.
fn push_target(out: &mut Vec<u8>, target: Target<'_>) {
    match target.parts() {
        (path, None) => push_cell(out, path),
        (path, Some(query)) if is_bare(path) && is_bare(query) && !path.is_empty() => {
            out.extend_from_slice(path);
            out.push(b'?');
            out.extend_from_slice(query);
        }
        _ => push_cell(out, &target.joined()),
    }
}

/// Reports whether `value` needs neither escapes nor quotes, wherever it is within a cell: it begins no formula either.
#[inline]
fn is_bare(value: &[u8]) -> bool {
    is_printable_without(value, [b'"', b'\\', b',', b';', b' ']) && !is_formula_start(value)
}

/// Reports whether plain text begins a formula, perhaps behind blanks.
#[inline]
fn is_formula_start(value: &[u8]) -> bool {
    let first = value.iter().find(|&&byte| byte != b' ');
    matches!(first, Some(b'=' | b'+' | b'-' | b'@'))
}

/// Reports whether plain text begins a formula at its start or behind a `;`.
fn has_formula(value: &[u8]) -> bool {
    is_formula_start(value)
        || memchr::memchr_iter(b';', value)
            .any(|at| is_formula_start(value.get(at + 1..).unwrap_or_default()))
}

/// Appends a cell: in quotes if it needs them, hostile characters escaped, the rest in UTF-8 for people to read.
///
/// The first character behind leading blanks is escaped if it begins a formula, and so is one behind `;`, where
/// spreadsheets of many countries split cells.
fn push_cell(out: &mut Vec<u8>, value: &[u8]) {
    if is_bare(value) {
        out.extend_from_slice(value);
    } else if is_plain(value) && !has_formula(value) {
        out.push(b'"');
        out.extend_from_slice(value);
        out.push(b'"');
    } else {
        push_escaped_cell(out, value);
    }
}

#[inline(never)]
fn push_escaped_cell(out: &mut Vec<u8>, value: &[u8]) {
    let is_quoted = value.iter().any(|byte| matches!(byte, b',' | b'"' | b';' | b' '));
    if is_quoted {
        out.push(b'"');
    }
    let mut at_start = true;
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let encoded = character.encode_utf8(&mut buffer).as_bytes();
            match character {
                '"' => out.extend_from_slice(b"\"\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                _ if is_confusing(character) || at_start && begins_formula(character) => {
                    push_bytes(out, encoded);
                }
                _ => out.extend_from_slice(encoded),
            }
            at_start = character == ';' || at_start && character == ' ';
        }
        push_bytes(out, chunk.invalid());
        at_start &= chunk.invalid().is_empty();
    }
    if is_quoted {
        out.push(b'"');
    }
}

/// Also in full width, which Japanese spreadsheets accept.
fn begins_formula(character: char) -> bool {
    matches!(character, '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
}

/// Reads a row of a file whose header is unknown.
pub(super) fn parse(line: &[u8]) -> Result<AccessRecord<'_>, LineError> {
    let row = Row::read(line, Some)?;
    row.record(row.length != ORIGINAL_COLUMNS)
}

/// Which cell of a row is which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// For each cell its place in [`NAMES`]; `None` for a column that we don't know.
    places: Vec<Option<usize>>,
    /// Whether the cells are escaped as ours are.
    escaped: bool,
}

impl Columns {
    /// The columns that a header line names, in any order and case; `None` if the line is no header. Time, client,
    /// path and status are indispensable. Of columns of the same name the first counts.
    pub(super) fn from_header(line: &[u8]) -> Option<Self> {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        let mut places: Vec<Option<usize>> = Vec::new();
        let mut rest = Some(line);
        while let Some(text) = rest {
            let (cell, tail) = split_cell(text)?;
            let cell = cell.trim_ascii();
            let place = place(cell);
            places.push(place.filter(|_| !places.contains(&place)));
            if places.len() > MAX_COLUMNS {
                return None;
            }
            rest = tail;
        }
        let has = |column: Column| places.contains(&Some(column as usize));
        let indispensable = [Column::Timestamp, Column::Ip, Column::Path, Column::StatusCode];
        let escaped = has(Column::Protection);
        indispensable.into_iter().all(has).then_some(Self { places, escaped })
    }

    /// Reads a row.
    pub(super) fn parse<'a>(&self, line: &'a [u8]) -> Result<AccessRecord<'a>, LineError> {
        Row::read(line, |index| self.places.get(index).copied().flatten())?.record(self.escaped)
    }
}

/// The place in [`NAMES`] of the column that somebody calls `name`.
fn place(name: &[u8]) -> Option<usize> {
    NAMES.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name)).or_else(|| {
        let other = OTHER_NAMES.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
        other.map(|(_, column)| *column as usize)
    })
}

/// The cells of a row, in the order of [`NAMES`].
struct Row<'a> {
    cells: [Cow<'a, [u8]>; NAMES.len()],
    /// How many cells the line has.
    length: usize,
}

impl<'a> Row<'a> {
    fn read(line: &'a [u8], place: impl Fn(usize) -> Option<usize>) -> Result<Self, LineError> {
        let mut row = Self { cells: [const { Cow::Borrowed(b"" as &[u8]) }; NAMES.len()], length: 0 };
        let mut rest = Some(line);
        while let Some(text) = rest {
            let (cell, tail) = split_cell(text).ok_or(LineError::Unterminated { field: "a cell" })?;
            if let Some(slot) = place(row.length).and_then(|place| row.cells.get_mut(place)) {
                *slot = cell;
            }
            row.length += 1;
            rest = tail;
        }
        Ok(row)
    }

    fn record(&self, escaped: bool) -> Result<AccessRecord<'a>, LineError> {
        let text = |column| {
            let cell = self.cell(column).clone();
            match cell {
                Cow::Borrowed(cell) if escaped => unescape(cell),
                Cow::Owned(cell) if escaped => Cow::Owned(unescape(&cell).into_owned()),
                cell => cell,
            }
        };
        let header = |column| Some(text(column)).filter(|value| !value.is_empty());

        let time = time::parse_any(self.required(Column::Timestamp)?)
            .ok_or(LineError::Invalid { field: "timestamp" })?;
        let status = digits::parse(self.required(Column::StatusCode)?)
            .and_then(|status| u16::try_from(status).ok())
            .ok_or(LineError::Invalid { field: "status_code" })?;
        let response_time = match self.number(Column::ResponseTimeUs)? {
            Some(micros) => Some(Duration::from_micros(micros)),
            None => self.milliseconds()?,
        };
        let monitored = self.boolean(Column::Monitored)?;
        let block = (self.boolean(Column::Blocked)? || monitored).then(|| BlockMark {
            reason: text(Column::BlockReason),
            protection: protection_from_name(self.cell(Column::Protection)),
            action: BlockAction::from_name_or_status(self.cell(Column::Action), status),
            monitored,
        });
        Ok(AccessRecord {
            time,
            client: LoggedClient::from(text(Column::Ip)),
            method: text(Column::Method),
            target: text(Column::Path),
            protocol: text(Column::Protocol),
            status,
            bytes: self.number(Column::Bytes)?,
            referer: header(Column::Referer),
            user_agent: header(Column::UserAgent),
            response_time,
            block,
        })
    }

    fn cell(&self, column: Column) -> &Cow<'a, [u8]> {
        &self.cells[column as usize]
    }

    fn required(&self, column: Column) -> Result<&[u8], LineError> {
        let cell = self.cell(column);
        if cell.is_empty() { Err(LineError::Missing { field: name(column) }) } else { Ok(cell) }
    }

    fn number(&self, column: Column) -> Result<Option<u64>, LineError> {
        let cell = self.cell(column);
        if cell.is_empty() {
            return Ok(None);
        }
        digits::parse(cell).map(Some).ok_or(LineError::Invalid { field: name(column) })
    }

    /// Milliseconds, with up to three decimals.
    fn milliseconds(&self) -> Result<Option<Duration>, LineError> {
        let cell = self.cell(Column::ResponseTimeMs);
        if cell.is_empty() {
            return Ok(None);
        }
        let (whole, decimals) = common::split_at_byte(cell, b'.').unwrap_or((cell, b"0"));
        let decimals = decimals.get(..3).unwrap_or(decimals);
        let micros = digits::parse(whole).zip(digits::parse(decimals)).and_then(|(whole, decimal)| {
            let scale = [1, 100, 10, 1].get(decimals.len())?;
            whole.checked_mul(1000)?.checked_add(decimal * scale)
        });
        micros
            .map(|micros| Some(Duration::from_micros(micros)))
            .ok_or(LineError::Invalid { field: name(Column::ResponseTimeMs) })
    }

    fn boolean(&self, column: Column) -> Result<bool, LineError> {
        match &**self.cell(column) {
            b"True" | b"true" | b"TRUE" | b"1" => Ok(true),
            b"False" | b"false" | b"FALSE" | b"0" | b"" => Ok(false),
            _ => Err(LineError::Invalid { field: name(column) }),
        }
    }
}

fn name(column: Column) -> &'static str {
    NAMES[column as usize]
}

/// A cell without its quotes, and what follows its comma, if one does.
type Split<'a> = (Cow<'a, [u8]>, Option<&'a [u8]>);

/// The first cell and the rest; `None` if a quote is not closed.
fn split_cell(text: &[u8]) -> Option<Split<'_>> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        return Some(match common::split_at_byte(text, b',') {
            Some((cell, rest)) => (Cow::Borrowed(cell), Some(rest)),
            None => (Cow::Borrowed(text), None),
        });
    };
    let (part, mut tail) = common::split_at_byte(quoted, b'"')?;
    let mut cell = Cow::Borrowed(part);
    // A doubled quote is one quote of the cell.
    while let Some(after) = tail.strip_prefix(b"\"") {
        let (part, next) = common::split_at_byte(after, b'"')?;
        let cell = cell.to_mut();
        cell.push(b'"');
        cell.extend_from_slice(part);
        tail = next;
    }
    match tail {
        [] => Some((cell, None)),
        [b',', after @ ..] => Some((cell, Some(after))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_columns_agree() {
        assert_eq!(HEADER.trim_end().split(',').collect::<Vec<_>>(), NAMES);
        assert_eq!(name(Column::Timestamp), "timestamp");
        assert_eq!(name(Column::UserAgent), "user_agent");
        assert_eq!(name(Column::Monitored), "monitored");
    }

    #[test]
    fn quotes_are_undone() {
        let cell = |text: &str| {
            split_cell(text.as_bytes()).map(|(cell, _)| String::from_utf8_lossy(&cell).into_owned())
        };
        assert_eq!(cell(r#""a ""b"", c",d"#).as_deref(), Some(r#"a "b", c"#));
        assert_eq!(cell(r#""""""#).as_deref(), Some("\""));
        assert_eq!(cell(r#""""a"#), None);
        assert_eq!(cell(r#""a"b,c"#), None);
    }

    #[test]
    fn formulas_are_no_formulas() {
        for (value, written) in [
            ("=1+1", r"\x3d1+1"),
            (" -2", r#"" \x2d2""#),
            ("/a;=cmd", r#""/a;\x3dcmd""#),
            ("\t=1", r"\t=1"),
            ("\u{ff1d}1", r"\xef\xbc\x9d1"),
            ("Mozilla/5.0 (+http://a)", r#""Mozilla/5.0 (+http://a)""#),
        ] {
            let mut out = Vec::new();
            push_cell(&mut out, value.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), written);
        }
    }
}
