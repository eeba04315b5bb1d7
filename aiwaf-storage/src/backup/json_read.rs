//! Backups in JSON: read in full, then checked value by value.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use aiwaf_core::{
    BanSource, BlacklistEntry, CountryEntry, KeywordEntry, KeywordSource, ListName, PathExemptionEntry,
    Timestamp, WhitelistEntry,
};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};

use super::json_write::FORMAT;
use super::validate::Draft;
use super::{Backup, BackupError};
use crate::error::shorten;

/// Reads and checks a backup.
pub(super) fn read(text: &[u8]) -> Result<Backup, BackupError> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let file: File<'_> = serde_json::from_slice(text).map_err(BackupError::Json)?;
    if let Some(found) = file.format
        && found > FORMAT
    {
        return Err(BackupError::Newer { found, known: FORMAT });
    }
    let holds = file.holds();
    if holds.is_empty() {
        return Err(BackupError::NoLists);
    }
    let mut check = Check { text, place: (0, 1), draft: Draft::default() };
    check.whitelist(file.whitelist.unwrap_or_default(), file.whitelist_details.unwrap_or_default());
    check.blacklist(file.blacklist.unwrap_or_default());
    check.keywords(file.keywords.unwrap_or_default(), file.keyword_details.unwrap_or_default());
    check.countries(file.geo_blocked_countries.unwrap_or_default());
    check.paths(file.path_exemptions.unwrap_or_default());
    Ok(check.draft.finish(holds))
}

/// The file as it stands; fields that we don't know are skipped.
#[derive(Deserialize)]
struct File<'a> {
    format: Option<u64>,
    #[serde(borrow)]
    whitelist: Option<Entries<'a>>,
    #[serde(borrow)]
    blacklist: Option<Entries<'a>>,
    #[serde(borrow)]
    keywords: Option<Entries<'a>>,
    #[serde(borrow)]
    geo_blocked_countries: Option<Entries<'a>>,
    #[serde(borrow)]
    path_exemptions: Option<Entries<'a>>,
    #[serde(borrow)]
    whitelist_details: Option<Entries<'a>>,
    #[serde(borrow)]
    keyword_details: Option<Entries<'a>>,
}

impl File<'_> {
    fn holds(&self) -> Vec<ListName> {
        let lists = [
            &self.whitelist,
            &self.blacklist,
            &self.keywords,
            &self.geo_blocked_countries,
            &self.path_exemptions,
        ];
        ListName::ALL
            .into_iter()
            .zip(lists)
            .filter(|(_, list)| list.is_some())
            .map(|(name, _)| name)
            .collect()
    }
}

/// A list: keys with what is said of each, or a mere array of keys.
#[derive(Default)]
struct Entries<'a>(Vec<(Text<'a>, Details<'a>)>);

/// What is said of a key.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Details<'a> {
    #[serde(borrow)]
    timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    source: Option<Text<'a>>,
    #[serde(borrow)]
    expires: Option<Text<'a>>,
    offences: Option<u32>,
    count: Option<u64>,
    extended_request_info: Option<Info>,
}

/// A text, borrowed from the file where possible, which tells where it stands.
struct Text<'a>(Cow<'a, str>);

/// What a ban's request looked like: a text that holds JSON, or the JSON itself.
struct Info(String);

struct Check<'a> {
    text: &'a [u8],
    /// A place in the text and its line, so that counting lines costs one pass as long as places ascend.
    place: (usize, u64),
    draft: Draft,
}

impl Check<'_> {
    fn whitelist(&mut self, entries: Entries<'_>, details: Entries<'_>) {
        let details = index(details, |key| aiwaf_core::parse_network(key).ok());
        for (key, own) in entries.0 {
            let line = self.line(&key);
            let Some(network) = self.draft.network("whitelist", line, &key.0) else { continue };
            let details = details.get(&network).unwrap_or(&own);
            let Ok(added) = self.time("whitelist", &key, "timestamp", details.timestamp.as_ref()) else {
                continue;
            };
            self.draft.put_whitelist(WhitelistEntry { network, reason: details.reason(), added });
        }
    }

    fn blacklist(&mut self, entries: Entries<'_>) {
        for (key, details) in entries.0 {
            let line = self.line(&key);
            let Some(network) = self.draft.network("blacklist", line, &key.0) else { continue };
            let added = self.time("blacklist", &key, "timestamp", details.timestamp.as_ref());
            let expires = self.time("blacklist", &key, "expires", details.expires.as_ref());
            let source = self.source(&key, details.source.as_ref());
            let (Ok(added), Ok(expires), Ok(source)) = (added, expires, source) else { continue };
            self.draft.put_blacklist(BlacklistEntry {
                network,
                reason: details.reason(),
                source,
                added,
                expires,
                offences: details.offences.unwrap_or(1),
                extended_request_info: details.extended_request_info.map(|info| info.0),
            });
        }
    }

    fn keywords(&mut self, entries: Entries<'_>, details: Entries<'_>) {
        let details = index(details, |key| Some(key.trim().to_lowercase()));
        for (key, own) in entries.0 {
            let line = self.line(&key);
            let Some(keyword) = self.draft.keyword("keywords", line, &key.0) else { continue };
            let details = details.get(&keyword).unwrap_or(&own);
            let added = self.time("keywords", &key, "timestamp", details.timestamp.as_ref());
            let source = self.keyword_source(&key, details.source.as_ref());
            let (Ok(added), Ok(source)) = (added, source) else { continue };
            let count = details.count.unwrap_or(1);
            self.draft.put_keyword(KeywordEntry { keyword, count, source, added });
        }
    }

    fn countries(&mut self, entries: Entries<'_>) {
        let list = "geo_blocked_countries";
        for (key, details) in entries.0 {
            let line = self.line(&key);
            let Some(country) = self.draft.country(list, line, &key.0) else { continue };
            let Ok(added) = self.time(list, &key, "timestamp", details.timestamp.as_ref()) else { continue };
            self.draft.put_country(CountryEntry { country, added });
        }
    }

    fn paths(&mut self, entries: Entries<'_>) {
        let list = "path_exemptions";
        for (key, details) in entries.0 {
            let line = self.line(&key);
            let Some(path) = self.draft.path(list, line, &key.0) else { continue };
            let Ok(added) = self.time(list, &key, "timestamp", details.timestamp.as_ref()) else { continue };
            self.draft.put_path(PathExemptionEntry { path, reason: details.reason(), added });
        }
    }

    /// A time, if it is known; an error has been noted.
    fn time(
        &mut self,
        list: &str,
        key: &Text<'_>,
        field: &str,
        text: Option<&Text<'_>>,
    ) -> Result<Option<Timestamp>, ()> {
        let Some(text) = text else { return Ok(None) };
        // What the original writes of bans whose time it does not know.
        if ["", "unknown", "none", "n/a"].contains(&text.0.trim().to_ascii_lowercase().as_str()) {
            return Ok(None);
        }
        let time = Timestamp::parse_iso8601(text.0.trim());
        let what = || format!("{:?} is no time: give one such as 2025-09-14T09:15:30Z", shorten(&text.0));
        time.map(Some).ok_or_else(|| self.refuse(list, key, field, text, what()))
    }

    fn source(&mut self, key: &Text<'_>, text: Option<&Text<'_>>) -> Result<BanSource, ()> {
        let Some(text) = text else { return Ok(BanSource::Import) };
        text.0.parse().map_err(|error: aiwaf_core::UnknownProtection| {
            let what = format!("neither manual, import nor trainer: {error}");
            self.refuse("blacklist", key, "source", text, what);
        })
    }

    fn keyword_source(&mut self, key: &Text<'_>, text: Option<&Text<'_>>) -> Result<KeywordSource, ()> {
        let Some(text) = text else { return Ok(KeywordSource::Manual) };
        let known = [KeywordSource::Manual, KeywordSource::Learned];
        known.into_iter().find(|source| source.name() == text.0).ok_or_else(|| {
            let what = format!("{:?} is no source of keywords: give manual or learned", shorten(&text.0));
            self.refuse("keywords", key, "source", text, what);
        })
    }

    fn refuse(&mut self, list: &str, key: &Text<'_>, field: &str, value: &Text<'_>, what: String) {
        let line = if self.draft.is_full() { None } else { self.line(value).or_else(|| self.line(key)) };
        self.draft.refuse(format!("{list}[{:?}].{field}", shorten(&key.0)), line, what);
    }

    /// The line on which a text stands. One that is written with escapes was copied, and has none.
    fn line(&mut self, text: &Text<'_>) -> Option<u64> {
        let Cow::Borrowed(text) = &text.0 else { return None };
        let offset = (text.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?;
        let (from, line) = if offset < self.place.0 { (0, 1) } else { self.place };
        let between = self.text.get(from..offset)?;
        self.place = (offset, line + between.split(|byte| *byte == b'\n').skip(1).count() as u64);
        Some(self.place.1)
    }
}

impl Details<'_> {
    fn reason(&self) -> String {
        self.reason.as_ref().map(|reason| reason.0.to_string()).unwrap_or_default()
    }
}

fn index<K: Eq + Hash>(details: Entries<'_>, key: impl Fn(&str) -> Option<K>) -> HashMap<K, Details<'_>> {
    details.0.into_iter().filter_map(|(text, details)| Some((key(&text.0)?, details))).collect()
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Texts)
    }
}

impl<'de> Deserialize<'de> for Info {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        }))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lists;

        impl<'de> Visitor<'de> for Lists {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of texts, or an object with one field for each entry")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = array.next_element()? {
                    entries.push((key, Details::default()));
                }
                Ok(Entries(entries))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, OneOrMore(details))) = object.next_entry()? {
                    entries.push((key, details));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_any(Lists)
    }
}

/// Details, of which a mere text is the reason.
struct OneOrMore<'a>(Details<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for OneOrMore<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = OneOrMore<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a reason, or the reason")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(OneOrMore(Details::default()))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                let reason = Some(Text(Cow::Borrowed(text)));
                Ok(OneOrMore(Details { reason, ..Details::default() }))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                let reason = Some(Text(Cow::Owned(text.to_owned())));
                Ok(OneOrMore(Details { reason, ..Details::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
                Details::deserialize(MapAccessDeserializer::new(object)).map(OneOrMore)
            }
        }

        deserializer.deserialize_any(Any)
    }
}
