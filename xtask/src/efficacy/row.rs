//! Labelled requests, read from the lines of a file.

use std::fmt::Write as _;
use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::replay::open;

/// One labelled request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) label: Label,
    pub(super) source: String,
    pub(super) category: String,
    /// The request, as `aiwaf inspect` reads it.
    pub(super) line: String,
    /// The target or the payload, for people.
    pub(super) shown: String,
}

/// Label of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Attack,
    Benign,
    /// Any other label. Such rows are judged and compared, but counted neither as attacks nor as benign.
    Other,
}

impl Label {
    /// Name for reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Benign => "benign",
            Self::Other => "other",
        }
    }
}

/// Headers of a browser, for rows that are a payload without a request.
const BROWSER_HEADERS: [(&str, &str); 6] = [
    ("Host", "www.example.com"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.9"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Connection", "keep-alive"),
];

/// Reads the labelled requests of a file.
///
/// # Errors
/// If the file can't be read, or a line is not a labelled request; the error names the line.
pub(super) fn read_rows(path: &Path) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (number, line) in open(path)?.lines().enumerate() {
        let place = || {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            format!("{name}:{}", number + 1)
        };
        let line = line.with_context(|| format!("reading {}", place()))?;
        if line.trim().is_empty() {
            continue;
        }
        rows.push(parse(&line, place).with_context(place)?);
    }
    Ok(rows)
}

/// Parses a line; `place` names it when it has no id.
fn parse(line: &str, place: impl Fn() -> String) -> anyhow::Result<Row> {
    let value: Value = serde_json::from_str(line).context("invalid JSON")?;
    if !value.is_object() {
        bail!("invalid row: expected a JSON object");
    }
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let label = match &*text("label") {
        "attack" => Label::Attack,
        "benign" => Label::Benign,
        "" => bail!("missing label: expected attack or benign"),
        _ => Label::Other,
    };
    let id = Some(text("id")).filter(|id| !id.is_empty()).unwrap_or_else(place);
    let (line, shown) = match value.get("payload").and_then(Value::as_str) {
        Some(payload) => {
            let uri = format!("/search?q={}", percent_encoded(payload));
            let headers: serde_json::Map<String, Value> =
                BROWSER_HEADERS.iter().map(|&(name, value)| (name.to_owned(), json!(value))).collect();
            (json!({ "id": id, "uri": uri, "headers": headers }).to_string(), payload.to_owned())
        }
        None => (line.to_owned(), format!("{} {} {}", text("method"), text("uri"), text("body"))),
    };
    let shown = shown.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let source = text("source") + apart(&value["meta"]);
    Ok(Row { id, label, source, category: text("category"), line, shown })
}

/// Suffix that sets a row apart from the others of its source, by the notes that public sets have: an encoding that
/// makes an attack only where the application decodes it, or a paranoia level above the usual ones.
fn apart(meta: &Value) -> &'static str {
    let encoded = |name: &str| {
        let encoding = meta[name].as_str().unwrap_or_default();
        ["Base64", "UTF-16"].iter().any(|apart| encoding.starts_with(apart))
    };
    if encoded("encode") || encoded("encoder") {
        " (encoded)"
    } else if meta["pl"].as_u64().is_some_and(|level| level > 2) {
        " (paranoia 3+)"
    } else {
        ""
    }
}

/// Encodes `text` as the value of a parameter.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// A row of which only its id and label matter, for the tests of what reads rows.
#[cfg(test)]
pub(super) fn labelled(id: &str, label: Label) -> Row {
    Row {
        id: id.into(),
        label,
        source: "s".into(),
        category: "c".into(),
        line: String::new(),
        shown: "/x".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: &str) -> anyhow::Result<Row> {
        parse(line, || "file:1".into())
    }

    #[test]
    fn payloads_become_searches_and_requests_keep_their_text() {
        let payload = row(r#"{"label":"attack","source":"s","category":"c","payload":"a b'"}"#).unwrap();
        assert_eq!((payload.id.as_str(), payload.label), ("file:1", Label::Attack));
        assert!(payload.line.contains("/search?q=a%20b%27"), "{}", payload.line);
        let line = r#"{"id":"x","label":"benign","uri":"/a"}"#;
        let request = row(line).unwrap();
        assert_eq!((request.line.as_str(), request.label), (line, Label::Benign));
    }

    #[test]
    fn encodings_of_some_applications_are_counted_apart() {
        for (meta, source) in [
            (r#"{"encoder":"Base64Flat"}"#, "s (encoded)"),
            (r#"{"encode":"UTF-16"}"#, "s (encoded)"),
            (r#"{"encoder":"URL"}"#, "s"),
            (r#"{"pl":3}"#, "s (paranoia 3+)"),
            (r#"{"pl":2}"#, "s"),
            ("null", "s"),
        ] {
            let line = format!(r#"{{"label":"attack","source":"s","uri":"/a","meta":{meta}}}"#);
            assert_eq!(row(&line).unwrap().source, source, "{meta}");
        }
    }

    #[test]
    fn other_labels_are_kept_and_a_missing_label_is_an_error() {
        let other = row(r#"{"label":"benign-for-rule","uri":"/a"}"#).unwrap();
        assert_eq!(other.label, Label::Other);
        assert!(row(r#"{"uri":"/a"}"#).unwrap_err().to_string().contains("missing label"));
        assert!(row("x").is_err());
        assert!(row("[]").is_err());
    }
}
