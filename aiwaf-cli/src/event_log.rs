//! `aiwaf.log` as it is read: who was denied, and why.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aiwaf_core::{LogFormat, Timestamp};
use serde::Serialize;

use crate::input::{Line, Lines};

/// One line about a request that was denied, or would have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Event {
    /// When, as the log says it.
    pub(crate) time: String,
    /// `block` or `throttle`.
    pub(crate) action: String,
    /// Whether the protection only watched.
    pub(crate) monitored: bool,
    pub(crate) protection: String,
    pub(crate) client: String,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) reason: String,
    /// The part of the request that said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) matched: Option<String>,
    /// The network that this request got banned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ban: Option<String>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ban_until: Option<String>,
}

impl Event {
    /// Reads a line; `None` if it is about something else.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        // Other events are told at a glance, and logs are long.
        let text = std::str::from_utf8(line).ok()?;
        let mut event = Self {
            time: String::new(),
            action: String::new(),
            monitored: false,
            protection: String::new(),
            client: String::new(),
            method: String::new(),
            target: String::new(),
            reason: String::new(),
            field: None,
            matched: None,
            ban: None,
            ban_until: None,
        };
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (key, value, after) = field(rest)?;
            match key {
                "time" => event.time = value,
                "action" => event.action = value,
                "monitor" => event.monitored = value == "true",
                "protection" => event.protection = value,
                "client" => event.client = value,
                "method" => event.method = value,
                "target" => event.target = value,
                "reason" => event.reason = value,
                "field" => event.field = Some(value),
                "matched" => event.matched = Some(value),
                "ban" => event.ban = Some(value),
                "ban_until" => event.ban_until = Some(value),
                _ => {}
            }
            rest = after.trim_start();
        }
        let is_complete = !event.time.is_empty() && !event.action.is_empty() && !event.client.is_empty();
        is_complete.then_some(event)
    }

    /// Who asked.
    pub(crate) fn client(&self) -> Option<IpAddr> {
        self.client.parse().ok()
    }

    /// When.
    pub(crate) fn timestamp(&self) -> Option<Timestamp> {
        Timestamp::parse_iso8601(&self.time)
    }
}

/// The first `key=value` of a line, and what follows it.
fn field(text: &str) -> Option<(&str, String, &str)> {
    let (key, rest) = text.split_once('=')?;
    if let Some(quoted) = rest.strip_prefix('"') {
        let (value, after) = unescape(quoted)?;
        return Some((key, value, after));
    }
    let end = rest.find(' ').unwrap_or(rest.len());
    let (value, after) = rest.split_at_checked(end)?;
    Some((key, value.to_owned(), after))
}

/// The text up to the closing quote, with escapes for control characters left as they are: it is for people.
fn unescape(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match characters.next()?.1 {
                escaped @ ('"' | '\\') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    None
}

/// The files of the log in `directory`, the oldest first: `aiwaf.log.2`, `aiwaf.log.1`, `aiwaf.log`.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut numbered: Vec<(u32, PathBuf)> = entries
        .take(MAX_FILES)
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let rest = name.to_str()?.strip_prefix("aiwaf.log")?;
            let rest = rest.strip_suffix(".gz").unwrap_or(rest);
            let number = if rest.is_empty() { 0 } else { rest.strip_prefix('.')?.parse().ok()? };
            Some((number, entry.path()))
        })
        .collect();
    numbered.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    numbered.into_iter().map(|(_, path)| path).collect()
}

const MAX_FILES: usize = 10_000;

/// The latest events that `wanted` takes, at most so many, the oldest first; and how many there were in all.
pub(crate) fn latest(
    files: &[PathBuf],
    limit: usize,
    mut wanted: impl FnMut(&Event) -> bool,
) -> anyhow::Result<(Vec<Event>, u64)> {
    let mut latest = VecDeque::new();
    let mut count = 0;
    for path in files {
        let mut lines = Lines::open(path, LogFormat::MAX_LINE)?;
        while let Some(line) = lines.next_line()? {
            let Line::Text(text) = line else { continue };
            if let Some(event) = Event::parse(text).filter(|event| wanted(event)) {
                count += 1;
                if latest.len() == limit {
                    latest.pop_front();
                }
                latest.push_back(event);
            }
        }
    }
    Ok((latest.into(), count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_request_is_read() {
        let line = br#"time=2026-11-22T18:14:14.322175Z action=block protection=ip_keyword_block client=203.0.113.9 method=GET target="/a\"b c?d=\\e\x0a" reason="Keyword block: .env" field="path" matched=".env" ban=203.0.113.9/32 ban_until=2026-11-23T18:14:14.322175Z"#;
        let event = Event::parse(line).unwrap();
        assert_eq!((event.action.as_str(), event.protection.as_str()), ("block", "ip_keyword_block"));
        assert_eq!(event.target, r#"/a"b c?d=\e\x0a"#);
        assert_eq!((event.reason.as_str(), event.matched.as_deref()), ("Keyword block: .env", Some(".env")));
        assert_eq!(event.ban.as_deref(), Some("203.0.113.9/32"));
        assert!(event.client().is_some() && event.timestamp().is_some() && !event.monitored);
    }

    #[test]
    fn other_lines_are_none() {
        for line in [
            "",
            "time=2026-11-22T18:14:14Z event=startup version=0.1.0",
            "time=x action=\"block client=1.1.1.1",
            "nonsense",
            "= = =",
        ] {
            assert_eq!(Event::parse(line.as_bytes()), None, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(line in "[a-z=\" \\\\x0-9]{0,80}") {
            let _ = Event::parse(line.as_bytes());
        }
    }

    #[test]
    fn rotated_files_come_first() {
        let directory = tempfile::tempdir().unwrap();
        for name in
            ["aiwaf.log", "aiwaf.log.1", "aiwaf.log.10", "aiwaf.log.2.gz", "access.log", "aiwaf.log.old"]
        {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let names: Vec<_> = files(directory.path())
            .into_iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["aiwaf.log.10", "aiwaf.log.2.gz", "aiwaf.log.1", "aiwaf.log"]);
    }
}
