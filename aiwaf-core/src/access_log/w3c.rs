//! The extended log file format of the W3C, as IIS and CloudFront write it: `#Fields:` names the columns of the lines
//! that follow. Read only.

use std::borrow::Cow;
use std::time::Duration;

use super::common::{NONE, client_with_port, split_at_byte};
use super::format::LineError;
use super::record::AccessRecord;
use super::{digits, time};

/// The directive that names the columns.
const FIELDS: &[u8] = b"#Fields:";

/// A line with more columns is none of this format: no server writes that many.
const MAX_COLUMNS: usize = 256;

/// The columns that are read, as the format calls them.
const NAMES: [&str; 13] = [
    "date",
    "time",
    "c-ip",
    "cs-method",
    "cs-uri-stem",
    "cs-uri-query",
    "cs-uri",
    "cs-version",
    "sc-status",
    "sc-bytes",
    "time-taken",
    "cs(user-agent)",
    "cs(referer)",
];

/// A column that is read, as its place in [`NAMES`].
#[derive(Debug, Clone, Copy)]
enum Column {
    Date,
    Time,
    Client,
    Method,
    Stem,
    Query,
    Uri,
    Version,
    Status,
    Bytes,
    Taken,
    Agent,
    Referer,
}

/// Whether `line` is a comment or a directive.
pub(super) fn is_directive(line: &[u8]) -> bool {
    line.first() == Some(&b'#')
}

/// Which column is which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// For each column its place in [`NAMES`]; `None` for one that is not read.
    places: Vec<Option<usize>>,
}

impl Columns {
    /// The columns that a `#Fields` directive names; `None` if the line is another one or lacks what is indispensable:
    /// time, client, target and status.
    pub(super) fn from_directive(line: &[u8]) -> Option<Self> {
        let names = line.strip_prefix(FIELDS)?;
        let mut places: Vec<Option<usize>> = Vec::new();
        for name in names.split(u8::is_ascii_whitespace).filter(|name| !name.is_empty()) {
            let name = if name.eq_ignore_ascii_case(b"cs-protocol-version") { b"cs-version" } else { name };
            let place = NAMES.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name));
            places.push(place.filter(|_| !places.contains(&place)));
            if places.len() > MAX_COLUMNS {
                return None;
            }
        }
        let has = |column: Column| places.contains(&Some(column as usize));
        let target = has(Column::Stem) || has(Column::Uri);
        let indispensable = [Column::Date, Column::Time, Column::Client, Column::Status];
        (target && indispensable.into_iter().all(has)).then_some(Self { places })
    }

    /// Reads a line.
    pub(super) fn parse<'a>(&self, line: &'a [u8]) -> Result<AccessRecord<'a>, LineError> {
        let separator = if memchr::memchr(b'\t', line).is_some() { b'\t' } else { b' ' };
        let mut cells: [&[u8]; NAMES.len()] = [b""; NAMES.len()];
        let mut rest = Some(line);
        for place in &self.places {
            let Some(text) = rest else { break };
            let (cell, tail) = match split_at_byte(text, separator) {
                Some((cell, tail)) => (cell, Some(tail)),
                None => (text, None),
            };
            if let Some(slot) = place.and_then(|place| cells.get_mut(place))
                && cell != NONE
            {
                *slot = cell;
            }
            rest = tail;
        }
        record(&cells)
    }
}

fn record<'a>(cells: &[&'a [u8]; NAMES.len()]) -> Result<AccessRecord<'a>, LineError> {
    let cell = |column: Column| cells[column as usize];
    let required = |column: Column| {
        let value = cell(column);
        if value.is_empty() { Err(LineError::Missing { field: name(column) }) } else { Ok(value) }
    };
    let status = digits::parse(required(Column::Status)?)
        .and_then(|status| u16::try_from(status).ok())
        .ok_or(LineError::Invalid { field: name(Column::Status) })?;
    Ok(AccessRecord {
        time: moment(required(Column::Date)?, required(Column::Time)?)?,
        client: client_with_port(Cow::Borrowed(required(Column::Client)?)),
        method: Cow::Borrowed(cell(Column::Method)),
        target: target(cells)?,
        protocol: Cow::Borrowed(cell(Column::Version)),
        status,
        bytes: digits::parse(cell(Column::Bytes)),
        referer: Some(cell(Column::Referer)).filter(|value| !value.is_empty()).map(Cow::Borrowed),
        user_agent: Some(cell(Column::Agent)).filter(|value| !value.is_empty()).map(blanks),
        response_time: taken(cell(Column::Taken)),
        block: None,
    })
}

/// Date and time of day, always in UTC.
fn moment(date: &[u8], time_of_day: &[u8]) -> Result<crate::Timestamp, LineError> {
    let mut text = [b'T'; 19];
    let error = LineError::Invalid { field: "time" };
    let (day, clock) = text.split_at_mut(10);
    let clock = clock.get_mut(1..).ok_or(error)?;
    // CloudFront and IIS write whole seconds; what comes behind them is cut.
    let time_of_day = time_of_day.get(..8).ok_or(error)?;
    if date.len() != day.len() || time_of_day.len() != clock.len() {
        return Err(error);
    }
    day.copy_from_slice(date);
    clock.copy_from_slice(time_of_day);
    time::parse_iso(&text).ok_or(error)
}

fn target<'a>(cells: &[&'a [u8]; NAMES.len()]) -> Result<Cow<'a, [u8]>, LineError> {
    let (stem, query) = (cells[Column::Stem as usize], cells[Column::Query as usize]);
    if stem.is_empty() {
        let uri = cells[Column::Uri as usize];
        return if uri.is_empty() {
            Err(LineError::Missing { field: name(Column::Stem) })
        } else {
            Ok(Cow::Borrowed(uri))
        };
    }
    Ok(if query.is_empty() { Cow::Borrowed(stem) } else { Cow::Owned([stem, b"?", query].concat()) })
}

/// IIS writes `+` for the blanks of an agent.
fn blanks(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'+', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect())
}

/// IIS writes whole milliseconds, all others seconds with decimals.
fn taken(value: &[u8]) -> Option<Duration> {
    match digits::parse(value) {
        Some(millis) => Some(Duration::from_millis(millis)),
        None => digits::parse_seconds(value),
    }
}

fn name(column: Column) -> &'static str {
    NAMES[column as usize]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IIS: &[u8] = b"#Fields: date time s-sitename cs-method cs-uri-stem cs-uri-query s-port c-ip cs(User-Agent) sc-status \
        sc-bytes time-taken";

    #[test]
    fn names_and_columns_agree() {
        assert_eq!(name(Column::Date), "date");
        assert_eq!(name(Column::Query), "cs-uri-query");
        assert_eq!(name(Column::Referer), "cs(referer)");
    }

    #[test]
    fn iis_is_read() {
        let columns = Columns::from_directive(IIS).unwrap();
        let line = b"2025-09-14 15:02:41 W3SVC1 GET /a.aspx id=7 80 192.0.2.7 Mozilla/4.0+(compatible;+MSIE) 404 944 1636";
        let record = columns.parse(line).unwrap();
        assert_eq!(record.time.to_string(), "2025-09-14T15:02:41.000000Z");
        assert_eq!(record.client.to_string(), "192.0.2.7");
        assert_eq!(&*record.target, b"/a.aspx?id=7");
        assert_eq!(record.user_agent.as_deref(), Some(&b"Mozilla/4.0 (compatible; MSIE)"[..]));
        assert_eq!((record.status, record.bytes), (404, Some(944)));
        assert_eq!(record.response_time, Some(Duration::from_millis(1636)));
    }

    #[test]
    fn cloudfront_is_read() {
        let directive = b"#Fields: date time c-ip cs-method cs-uri-stem sc-status time-taken cs(Referer)";
        let columns = Columns::from_directive(directive).unwrap();
        let record = columns.parse(b"2025-09-14\t15:02:41\t2001:db8::7\tGET\t/a b\t200\t0.113\t-").unwrap();
        assert_eq!((&*record.target, record.referer), (&b"/a b"[..], None));
        assert_eq!(record.response_time, Some(Duration::from_millis(113)));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(Columns::from_directive(b"#Fields: date time c-ip"), None);
        assert_eq!(Columns::from_directive(b"#Version: 1.0"), None);
        let columns = Columns::from_directive(IIS).unwrap();
        let error = |line: &[u8]| columns.parse(line).unwrap_err().to_string();
        assert!(error(b"2025-09-14 15:02:41 W3SVC1 GET /").contains("sc-status"));
        assert!(error(b"2025-09-14 15:02:41 W3SVC1 GET / - 80 - - x 1 1").contains("sc-status"));
        assert!(error(b"2025-09-31 15:02:41 W3SVC1 GET / - 80 ::1 - 200 1 1").contains("time"));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line: Vec<u8>, directive: Vec<u8>) {
            let _ = Columns::from_directive(&[b"#Fields: ", &directive[..]].concat());
            let columns = Columns::from_directive(IIS).unwrap();
            let _ = columns.parse(&line);
            let _ = columns.parse(&[b"2025-09-14 15:02:41 ", &line[..]].concat());
        }
    }
}
