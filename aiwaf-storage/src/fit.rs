//! What fits onto a list, whatever its home: bounds that keep hostile text small and every home able to hold it.

use aiwaf_core::{
    BlacklistEntry, KeywordEntry, ListChange, PathExemptionEntry, Timestamp, WhitelistEntry,
    canonical_network,
};

/// The longest reason in characters; longer ones are cut.
pub const MAX_REASON: usize = 500;
/// Maximum length of a keyword in bytes; longer ones are not stored, for they would match nothing.
pub use aiwaf_core::MAX_KEYWORD;
/// Maximum length of an exempt path in bytes; longer ones are not stored, for they would match nothing.
pub use aiwaf_core::MAX_PATTERN as MAX_PATH;
/// The longest description of a request in bytes; longer ones are left out, for half a JSON text is none.
pub const MAX_EXTENDED_REQUEST_INFO: usize = 16 * 1024;

/// The change as every store holds it, or `None` if it can't be stored.
///
/// Reasons are cut to [`MAX_REASON`], keywords become lower-case, ends of bans and dates of addition lie in the years
/// 1970 to 9999, control characters (line breaks, NUL) become blanks, and texts lose blanks at both ends. An empty or
/// over-long keyword or path can't be stored: cutting it would make it match more.
pub fn fit(change: &ListChange) -> Option<ListChange> {
    Some(match change {
        ListChange::AddWhitelist(entry) => ListChange::AddWhitelist(WhitelistEntry {
            network: canonical_network(entry.network),
            reason: fit_reason(entry.reason.clone()),
            added: fit_time(entry.added),
        }),
        ListChange::AddBlacklist(entry) => ListChange::AddBlacklist(fit_blacklist(entry.clone())),
        ListChange::AddKeyword(entry) => ListChange::AddKeyword(KeywordEntry {
            keyword: fit_keyword(&entry.keyword)?,
            count: entry.count.min(MAX_COUNT),
            added: fit_time(entry.added),
            source: entry.source,
        }),
        ListChange::RemoveKeyword(keyword) => ListChange::RemoveKeyword(fit_keyword(keyword)?),
        ListChange::AddPathExemption(entry) => ListChange::AddPathExemption(PathExemptionEntry {
            path: fit_path(&entry.path)?,
            reason: fit_reason(entry.reason.clone()),
            added: fit_time(entry.added),
        }),
        ListChange::RemovePathExemption(path) => ListChange::RemovePathExemption(fit_path(path)?),
        ListChange::AddCountry(entry) => {
            let mut entry = entry.clone();
            entry.added = fit_time(entry.added);
            ListChange::AddCountry(entry)
        }
        other => other.clone(),
    })
}

/// The highest count of a keyword, which databases can hold as well.
pub(crate) const MAX_COUNT: u64 = i64::MAX as u64;

pub(crate) fn fit_blacklist(entry: BlacklistEntry) -> BlacklistEntry {
    let info = entry.extended_request_info.map(into_plain);
    BlacklistEntry {
        network: canonical_network(entry.network),
        reason: fit_reason(entry.reason),
        added: fit_time(entry.added),
        expires: fit_time(entry.expires),
        extended_request_info: info
            .filter(|info| !info.is_empty() && info.len() <= MAX_EXTENDED_REQUEST_INFO),
        ..entry
    }
}

pub(crate) fn fit_reason(mut reason: String) -> String {
    // Most have fewer bytes than that, and need not be counted.
    if reason.len() > MAX_REASON
        && let Some((end, _)) = reason.char_indices().nth(MAX_REASON)
    {
        reason.truncate(end);
    }
    into_plain(reason)
}

pub(crate) fn fit_keyword(keyword: &str) -> Option<String> {
    let keyword = plain(keyword).to_lowercase();
    (!keyword.is_empty() && keyword.len() <= MAX_KEYWORD).then_some(keyword)
}

pub(crate) fn fit_path(path: &str) -> Option<String> {
    let path = plain(path);
    (!path.is_empty() && path.len() <= MAX_PATH).then_some(path)
}

/// The same without a copy for a text that is plain already, as stored ones are.
fn into_plain(text: String) -> String {
    if is_plain(&text) { text } else { plain(&text) }
}

fn plain(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    text.replace(char::is_control, " ").trim().to_owned()
}

/// Whether a text is printable ASCII without blanks at its ends, as most are, so that nothing has to be changed.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && bytes.first() != Some(&b' ')
        && bytes.last() != Some(&b' ')
}

/// Within what RFC 3339 can write, so that every home gives back exactly what it was given.
pub(crate) fn fit_time(time: Option<Timestamp>) -> Option<Timestamp> {
    const LAST: Timestamp = Timestamp::from_unix_micros(253_402_207_200_000_000);
    time.map(|time| time.clamp(Timestamp::UNIX_EPOCH, LAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyword(text: &str) -> ListChange {
        ListChange::RemoveKeyword(text.to_owned())
    }

    #[test]
    fn hostile_text_gets_small_and_plain() {
        assert_eq!(fit(&keyword(" UNION\r\nSELECT\0 ")), Some(keyword("union  select")));
        assert_eq!(fit(&keyword("\n")), None);
        assert_eq!(fit(&keyword(&"x".repeat(MAX_KEYWORD + 1))), None);
        assert_eq!(fit_reason("\u{e4}".repeat(MAX_REASON + 1)).chars().count(), MAX_REASON);
    }

    #[test]
    fn plain_texts_stay_and_others_don_t() {
        for (text, expected) in [("", ""), ("a b", "a b"), (" a", "a"), ("a ", "a"), ("a\tb\u{85}", "a b")] {
            assert_eq!(
                (plain(text), fit_reason(text.to_owned())),
                (expected.to_owned(), expected.to_owned())
            );
        }
    }

    #[test]
    fn times_can_be_written() {
        for micros in [i64::MIN, -1, 0, i64::MAX] {
            let time = fit_time(Some(Timestamp::from_unix_micros(micros)));
            assert_eq!(Timestamp::parse_iso8601(&time.unwrap().to_string()), time);
        }
    }

    proptest::proptest! {
        #[test]
        fn plain_texts_are_left_alone(text in "[ -~\\PC\\n]{0,8}") {
            proptest::prop_assert_eq!(into_plain(text.clone()), plain(&text));
        }

        #[test]
        fn what_fits_stays(text in ".{0,300}") {
            let once = fit(&keyword(&text));
            if let Some(once) = once {
                proptest::prop_assert_eq!(fit(&once), Some(once.clone()));
            }
        }
    }
}
