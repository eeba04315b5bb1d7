//! Time and client of each row, for verdicts that can be compared.
//!
//! Request sequences are labelled rows as the visits of clients to sites, so that rates, forms and bans show.
//! Rows of the same label, source and host are the visits of many clients, in the order of the file. Most visits are a
//! person's; one in sixteen is a hurried program's, which exceeds rate limits. Some clients come again later, so that a
//! ban shows in another visit. Pages with forms are loaded first, but `aiwaf inspect` sees no responses: leave out the
//! honeypot to see past its bans. Everything follows from the rows alone: the same files give the same sequence.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value, json};

use super::row::{Label, Row};

/// Moment at which sequences start, in seconds since 1970.
const START_SECONDS: u32 = 1_700_000_000;

/// Milliseconds between the beginnings of two visits.
const VISIT_INTERVAL: u64 = 4_000;

/// Every such visit is a hurried program's.
const HURRIED_EVERY: u64 = 16;

/// Visits after which a client comes again: the ones ending in 4 soon, those ending in 9 about an hour later.
const RETURNS: [(u64, u64); 2] = [(4, 41), (9, 901)];

/// A visit of one client to one site.
struct Visit {
    client: String,
    /// Milliseconds since the start.
    time: u64,
    /// Rows that still belong to it.
    remaining: u64,
    /// Shortest gap between two requests, in milliseconds.
    min_gap: u64,
    /// Range of the gaps above that, in milliseconds.
    gap_range: u64,
    /// Milliseconds from loading a form to submitting it; `None` if the client does not load it.
    form_delay: Option<u64>,
}

impl Visit {
    fn new(number: u64) -> Self {
        let chance = mix(number);
        let (remaining, min_gap, gap_range) = if number % HURRIED_EVERY == HURRIED_EVERY - 1 {
            (300, 10, 50)
        } else {
            (10 + chance % 50, 300, 9_000)
        };
        // Most clients fill in forms like a person; some too fast, and some submit them unloaded.
        let form_delay = match (chance >> 8) % 8 {
            0 => None,
            1 => Some(200),
            _ => Some(8_000),
        };
        let returning = RETURNS.iter().find(|(digit, _)| number % 10 == *digit);
        let client = returning.and_then(|(_, back)| number.checked_sub(*back)).unwrap_or(number);
        let time = number * VISIT_INTERVAL;
        Self { client: address(client), time, remaining, min_gap, gap_range, form_delay }
    }

    /// Advances to the time of the next request.
    fn advance(&mut self, chance: u64) {
        self.time += self.min_gap + chance % self.gap_range;
    }
}

/// Returns the requests of all visits in the order of their times. A row that states its client or its time keeps it.
pub(super) fn sequences(rows: Vec<Row>) -> Vec<Row> {
    let mut visits: HashMap<(&'static str, String, String), Visit> = HashMap::new();
    let mut started = 0;
    let mut timed = Vec::with_capacity(rows.len());
    for (number, row) in rows.into_iter().enumerate() {
        let chance = mix(number as u64 ^ 0x5EED);
        let value: Value = serde_json::from_str(&row.line).unwrap_or_default();
        // Attackers and honest visitors are different clients: a ban of one must not hide verdicts on the other.
        let host = header(&value, "host").unwrap_or_default().to_ascii_lowercase();
        let site = (row.label.name(), row.source.clone(), host);
        let current = visits.remove(&site).filter(|visit| visit.remaining > 0);
        let mut visit = current.unwrap_or_else(|| {
            started += 1;
            Visit::new(started - 1)
        });
        visit.remaining -= 1;
        visit.advance(chance);
        if let Some(delay) = visit.form_delay.filter(|_| is_form(&value)) {
            let page = form_page(&row, &value);
            timed.push((visit.time, placed(page, &Value::Null, Some(&visit.client), visit.time)));
            visit.time += delay;
        }
        let time = visit.time;
        let own_time = value.get("time").and_then(Value::as_f64);
        timed.push((own_time.map_or(time, since_start), placed(row, &value, Some(&visit.client), time)));
        visits.insert(site, visit);
    }
    timed.sort_by_key(|(time, _)| *time);
    timed.into_iter().map(|(_, row)| row).collect()
}

/// Returns the rows, each at the same moment unless it states its time.
pub(super) fn simultaneous(rows: Vec<Row>) -> Vec<Row> {
    let value = |row: &Row| serde_json::from_str(&row.line).unwrap_or_default();
    rows.into_iter().map(|row| (value(&row), row)).map(|(value, row)| placed(row, &value, None, 0)).collect()
}

/// Milliseconds since the start, of a stated time; earlier times are the start.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // bounded before the conversion
fn since_start(seconds: f64) -> u64 {
    let millis = (seconds - f64::from(START_SECONDS)) * 1_000.0;
    match millis.partial_cmp(&0.0) {
        Some(Ordering::Greater) => millis.min(1e15) as u64,
        _ => 0,
    }
}

/// Completes the row, whose line is `value`, by a client and a time unless it states them. The text of the line
/// remains, repeated names included.
fn placed(mut row: Row, value: &Value, client: Option<&str>, time: u64) -> Row {
    let mut members = String::new();
    if value.get("time").is_none() {
        let seconds = u64::from(START_SECONDS) + time / 1_000;
        // Writing to a String can't fail.
        let _ = write!(members, "\"time\":{seconds}.{:03},", time % 1_000);
    }
    if let Some(client) = client.filter(|_| value.get("client_ip").is_none()) {
        let _ = write!(members, "\"client_ip\":\"{client}\",");
    }
    if let Some(rest) = row.line.trim_start().strip_prefix('{').filter(|_| !members.is_empty()) {
        row.line = format!("{{{members}{rest}");
    }
    row
}

/// The request that loads the page of a form.
fn form_page(row: &Row, value: &Value) -> Row {
    let id = format!("{}#form", row.id);
    let uri = value["uri"].as_str().unwrap_or("/");
    let path = uri.split('?').next().unwrap_or(uri);
    let mut page = Map::new();
    page.insert("id".into(), json!(id));
    page.insert("method".into(), json!("GET"));
    page.insert("uri".into(), json!(path));
    if let Some(encoding) = value.get("uri_encoding") {
        page.insert("uri_encoding".into(), encoding.clone());
    }
    let is_kept = |name: &str| !name.to_ascii_lowercase().starts_with("content-");
    if let Some(headers) = value["headers"].as_object() {
        let kept = headers.iter().filter(|(name, _)| is_kept(name));
        let kept: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        page.insert("headers".into(), Value::Object(kept));
    }
    if let Some(headers) = value["headers_list"].as_array() {
        let kept = headers.iter().filter(|pair| pair[0].as_str().is_none_or(is_kept));
        page.insert("headers_list".into(), Value::Array(kept.cloned().collect()));
    }
    Row {
        shown: format!("GET {path}"),
        line: Value::Object(page).to_string(),
        id,
        label: Label::Other,
        source: row.source.clone(),
        category: "form page".into(),
    }
}

/// Reports whether the request submits a form.
fn is_form(value: &Value) -> bool {
    let method = value["method"].as_str().unwrap_or_default();
    let content_type = header(value, "content-type").unwrap_or_default().to_ascii_lowercase();
    method == "POST"
        && ["application/x-www-form-urlencoded", "multipart/form-data"]
            .iter()
            .any(|form| content_type.starts_with(form))
}

/// First value of a header, by its lower-case name.
fn header<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    let first = |value: &'a Value| value.as_str().or_else(|| value[0].as_str());
    if let Some(headers) = value["headers"].as_object() {
        let found = headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        if let Some((_, value)) = found {
            return first(value);
        }
    }
    let pairs = value["headers_list"].as_array()?;
    let pair =
        pairs.iter().find(|pair| pair[0].as_str().is_some_and(|given| given.eq_ignore_ascii_case(name)))?;
    pair[1].as_str()
}

/// Address of a client: from the ranges for benchmarks and documentation; every sixth is IPv6, in a /48 of its own.
fn address(client: u64) -> String {
    let number = u32::try_from(client % (1 << 17)).unwrap_or_default();
    if client % 6 == 5 {
        let [.., high, low] = number.to_be_bytes();
        return Ipv6Addr::new(0x2001, 0xdb8, u16::from_be_bytes([high, low]), 0, 0, 0, 0, 1).to_string();
    }
    // An odd factor visits every address of 198.18.0.0/15 once.
    let shuffled = number.wrapping_mul(40_503) % (1 << 17);
    Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + shuffled).to_string()
}

/// Number that looks random, by SplitMix64.
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn row(id: usize, line: &str) -> Row {
        Row {
            id: id.to_string(),
            label: Label::Benign,
            source: "s".into(),
            category: "c".into(),
            line: line.into(),
            shown: String::new(),
        }
    }

    fn values(rows: Vec<Row>) -> Vec<Value> {
        sequences(rows).iter().map(|row| serde_json::from_str(&row.line).unwrap()).collect()
    }

    fn many(line: &str) -> Vec<Row> {
        (0..3_000).map(|id| row(id, line)).collect()
    }

    #[test]
    fn sequences_are_deterministic_and_ordered() {
        let values_of = || values(many(r#"{"uri":"/a","headers":{"Host":"x"}}"#));
        let values = values_of();
        assert_eq!(values, values_of());
        let times: Vec<f64> = values.iter().map(|value| value["time"].as_f64().unwrap()).collect();
        assert!(times.is_sorted());
        let clients: HashSet<&str> =
            values.iter().map(|value| value["client_ip"].as_str().unwrap()).collect();
        assert!((20..200).contains(&clients.len()), "{}", clients.len());
        assert!(clients.iter().all(|client| client.parse::<std::net::IpAddr>().is_ok()));
    }

    #[test]
    fn hurried_client_exceeds_rate_limits() {
        let values = values(many(r#"{"uri":"/a"}"#));
        let most = values.iter().fold(HashMap::new(), |mut counts: HashMap<_, u32>, value| {
            let key = (
                value["client_ip"].as_str().unwrap(),
                format!("{:.0}", value["time"].as_f64().unwrap() / 10.0),
            );
            *counts.entry(key).or_default() += 1;
            counts
        });
        assert!(most.values().any(|count| *count > 200), "{:?}", most.values().max());
    }

    #[test]
    fn stated_client_and_time_are_kept() {
        let line = r#"{"time":1700000100.5,"client_ip":"203.0.113.9","uri":"/a"}"#;
        let other = row(1, r#"{"uri":"/b"}"#);
        let rows = sequences(vec![row(0, line), other]);
        assert_eq!(rows[1].line, line);
        assert!(rows[0].line.contains("client_ip"), "{}", rows[0].line);
    }

    #[test]
    fn simultaneous_rows_keep_their_text() {
        let rows =
            simultaneous(vec![row(0, r#" {"uri":"/a","uri":"/b"}"#), row(1, r#"{"time":1,"uri":"/"}"#)]);
        assert_eq!(rows[0].line, r#"{"time":1700000000.000,"uri":"/a","uri":"/b"}"#);
        assert_eq!(rows[1].line, r#"{"time":1,"uri":"/"}"#);
    }

    #[test]
    fn forms_are_loaded_before_some_submissions() {
        let line = r#"{"method":"POST","uri":"/a?b=c","body":"d=e",
            "headers":{"Content-Type":"application/x-www-form-urlencoded","Host":"x"}}"#;
        let rows = sequences((0..3_000).map(|id| row(id, line)).collect());
        let pages: Vec<&Row> = rows.iter().filter(|row| row.label == Label::Other).collect();
        assert!((2_000..3_000).contains(&pages.len()), "{}", pages.len());
        let page: Value = serde_json::from_str(&pages[0].line).unwrap();
        assert_eq!((&page["uri"], &page["method"]), (&json!("/a"), &json!("GET")));
        assert_eq!(page["headers"], json!({ "Host": "x" }));
        assert!(page.get("client_ip").is_some() && page["time"].as_f64().unwrap() > 1.7e9);
    }

    #[test]
    fn address_of_each_client_differs() {
        let addresses: HashSet<String> = (0..20_000).map(address).collect();
        assert_eq!(addresses.len(), 20_000);
    }
}
