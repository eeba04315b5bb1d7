//! A labelled request, as a line of a file.

use std::fmt::Write as _;
use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::replay::open;

/// One labelled request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) is_attack: bool,
    pub(super) source: String,
    pub(super) category: String,
    /// The request, as `aiwaf inspect` reads it.
    pub(super) line: String,
    /// The target or the text, for people.
    pub(super) shown: String,
}

/// The labelled requests of a file.
///
/// # Errors
/// If the file can't be read, or a line is no such object; the error names the line.
pub(super) fn read_rows(path: &Path) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (number, line) in open(path)?.lines().enumerate() {
        let place = || format!("{}:{}", path.display(), number + 1);
        let line = line.with_context(|| format!("reading {}", place()))?;
        if line.trim().is_empty() {
            continue;
        }
        rows.extend(parse(&line, place).with_context(place)?);
    }
    Ok(rows)
}

/// The row of a line; `None` if its label is another than attack and benign.
fn parse(line: &str, place: impl Fn() -> String) -> anyhow::Result<Option<Row>> {
    let value: Value = serde_json::from_str(line).context("no JSON object")?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_attack = match &*text("label") {
        "attack" => true,
        "benign" => false,
        "" => bail!("it has no label: give attack or benign"),
        _ => return Ok(None),
    };
    let id = Some(text("id")).filter(|id| !id.is_empty()).unwrap_or_else(place);
    let (line, shown) = match value.get("payload").and_then(Value::as_str) {
        Some(payload) => {
            let uri = format!("/search?q={}", percent_encoded(payload));
            (serde_json::json!({ "id": id, "uri": uri }).to_string(), payload.to_owned())
        }
        None => (line.to_owned(), format!("{} {} {}", text("method"), text("uri"), text("body"))),
    };
    let shown = shown.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let source = text("source") + apart(&value["meta"]);
    Ok(Some(Row { id, is_attack, source, category: text("category"), line, shown }))
}

/// What sets a row apart from the others of its source, by the notes that public sets have: an encoding that makes an
/// attack only where the application decodes it, or a paranoia level above those that are usual.
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

/// `text` as the value of a parameter.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: &str) -> anyhow::Result<Option<Row>> {
        parse(line, || "file:1".into())
    }

    #[test]
    fn payloads_become_searches_and_requests_stay() {
        let payload =
            row(r#"{"label":"attack","source":"s","category":"c","payload":"a b'"}"#).unwrap().unwrap();
        assert_eq!((payload.id.as_str(), payload.is_attack), ("file:1", true));
        assert!(payload.line.contains("/search?q=a%20b%27"), "{}", payload.line);
        let line = r#"{"id":"x","label":"benign","uri":"/a"}"#;
        let request = row(line).unwrap().unwrap();
        assert_eq!((request.line.as_str(), request.is_attack), (line, false));
    }

    #[test]
    fn what_only_some_applications_decode_is_counted_apart() {
        for (meta, source) in [
            (r#"{"encoder":"Base64Flat"}"#, "s (encoded)"),
            (r#"{"encode":"UTF-16"}"#, "s (encoded)"),
            (r#"{"encoder":"URL"}"#, "s"),
            (r#"{"pl":3}"#, "s (paranoia 3+)"),
            (r#"{"pl":2}"#, "s"),
            ("null", "s"),
        ] {
            let line = format!(r#"{{"label":"attack","source":"s","uri":"/a","meta":{meta}}}"#);
            assert_eq!(row(&line).unwrap().unwrap().source, source, "{meta}");
        }
    }

    #[test]
    fn other_labels_are_left_out_and_none_is_an_error() {
        assert_eq!(row(r#"{"label":"benign-for-rule","uri":"/a"}"#).unwrap(), None);
        assert!(row(r#"{"uri":"/a"}"#).unwrap_err().to_string().contains("no label"));
        assert!(row("x").is_err());
    }
}
