//! Normal forms: what a path or a query says once the tricks of spelling are taken away.
//!
//! Requests are judged in normal form and passed on untouched. Everything here is total (any bytes are fine), takes
//! linear time, and writes into a buffer that is reused, so that ordinary requests cost no allocation.

mod base64_text;
mod compatibility;
mod cookie;
mod css_escapes;
mod forms;
mod html_entities;
mod javascript_escapes;
mod parameter;
mod path;
mod percent;
#[cfg(test)]
mod properties;
mod query;
mod scan;
mod scratch;
mod shell_quoting;
mod sql_comments;

pub(crate) use cookie::cookie_parameters;
pub(crate) use forms::{Form, FormSet, Forms};
pub(crate) use html_entities::decode_references;
pub(crate) use parameter::{Parameter, Part, Place};
pub(crate) use path::normalize_path;
pub(crate) use percent::decode_once;
pub(crate) use query::{normalize_query, urlencoded_parameters};
pub(crate) use scan::{Kinds, run_without};

use smallvec::SmallVec;

/// Where a normal form is written; on the stack for requests of ordinary size.
pub(crate) type Buffer = SmallVec<[u8; 512]>;

/// The normal form of a path or prefix that an operator wrote, who may have copied it from a browser's address bar.
/// One that would mean another path than it seems to is only folded to lower case, and fits nothing.
pub(crate) fn normalize_pattern(pattern: &str) -> Box<[u8]> {
    let mut buffer = Buffer::new();
    if pattern.contains('%') && !normalize_path(pattern.as_bytes(), &mut buffer) {
        return buffer.into_vec().into_boxed_slice();
    }
    pattern.to_ascii_lowercase().into_bytes().into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(raw: &[u8]) -> (String, bool) {
        let mut buffer = Buffer::new();
        let repaired = normalize_path(raw, &mut buffer);
        (String::from_utf8_lossy(&buffer).into_owned(), repaired)
    }

    fn query(raw: &[u8]) -> String {
        let mut buffer = Buffer::new();
        normalize_query(raw, &mut buffer);
        String::from_utf8_lossy(&buffer).into_owned()
    }

    #[test]
    fn ordinary_paths_keep_their_shape() {
        for (raw, expected) in [
            (&b"/"[..], "/"),
            (b"", ""),
            (b"*", "*"),
            (b"/Docs/Index.html", "/docs/index.html"),
            (b"/caf%C3%A9/", "/caf\u{e9}/"),
            (b"/a%20b", "/a b"),
            (b"/100%", "/100%"),
            (b"/.well-known/acme", "/.well-known/acme"),
            (b"/v1.2/x..y", "/v1.2/x..y"),
        ] {
            assert_eq!(path(raw), (expected.to_owned(), false), "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn tricks_are_undone_and_reported() {
        for (raw, expected) in [
            (&b"/static/../.env"[..], "/.env"),
            (b"/static/%2e%2e/.env", "/.env"),
            (b"/static/..%2f.env", "/.env"),
            (b"/static\\..\\.env", "/.env"),
            (b"//a///b/./c", "/a/b/c"),
            (b"/a/./", "/a/"),
            (b"/a/..", "/"),
            (b"/../../etc/passwd", "/etc/passwd"),
            (b"/shell.php;.png", "/shell.php"),
            (b"/a;x=1/b;y=2", "/a/b"),
            (b"/.%00env", "/.env"),
            (b"/x%252ephp", "/x.php"),
            (b"/x%25252ephp", "/x.php"),
            (b"/x%c0%aephp", "/x.php"),
            (b"/x%e0%80%aephp", "/x.php"),
            (b"/x%u002ephp", "/x.php"),
            (b"/x%2%65php", "/x.php"),
            (b"/%ef%bc%8eenv", "/.env"),
        ] {
            assert_eq!(path(raw), (expected.to_owned(), true), "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn patterns_are_decoded_unless_that_would_widen_them() {
        for (pattern, expected) in
            [("/My%20Files/", "/my files/"), ("/Hooks/", "/hooks/"), ("/%2e", "/%2e"), ("/a%2f..", "/a%2f..")]
        {
            assert_eq!(&*normalize_pattern(pattern), expected.as_bytes(), "{pattern}");
        }
    }

    #[test]
    fn queries_are_decoded_and_folded() {
        for (raw, expected) in [
            (&b"q=Union+Select"[..], "q=union select"),
            (b"q=union%0a%09%20select", "q=union select"),
            (b"q=%3Cscript%3E", "q=<script>"),
            (b"q=%253Cscript%253E", "q=<script>"),
            (b"a=1&b=%2B", "a=1&b=+"),
            (b"q=sel%00ect", "q=select"),
        ] {
            assert_eq!(query(raw), expected, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn original_defect_09_double_encoded_and_nul_split_paths_are_seen() {
        assert_eq!(path(b"/x%252ephp").0, "/x.php");
        assert_eq!(path(b"/.%00env").0, "/.env");
    }

    proptest! {
        #[test]
        fn the_short_cut_for_plain_input_changes_nothing(plain in "(/[!-.0-~]{1,9}){1,4}") {
            // A percent sign that begins no escape keeps the short cut from being taken.
            let expected = path(plain.as_bytes()).0.trim_end_matches('/').to_owned() + "/%";
            prop_assert_eq!(path(format!("{plain}/%").as_bytes()).0, expected);
            prop_assert_eq!(query(format!("{plain}&%").as_bytes()), query(plain.as_bytes()) + "&%");
        }

        #[test]
        fn normal_forms_are_normal(mut raw in proptest::collection::vec(any::<u8>(), 1..200)) {
            raw[0] = b'/';
            let once = path(&raw).0;
            prop_assert_eq!(path(once.as_bytes()).0, once.clone());
            prop_assert!(!once.contains("/../") && !once.contains("//") && !once.contains('\0'));
        }

        #[test]
        fn paths_made_of_tricks_are_normal(raw in "/([/.%;\\\\]|%00|%2[eEfF5]|%25|%c0%ae|%u002[ef]|[a-c]){0,60}") {
            let once = path(raw.as_bytes()).0;
            prop_assert_eq!(path(once.as_bytes()).0, once);
        }

        #[test]
        fn encoding_hides_nothing(plain in "/[a-z.]{1,20}", rounds in 1usize..6) {
            let mut encoded = plain.clone();
            for _ in 0..rounds {
                encoded = encoded.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
            }
            prop_assert_eq!(path(encoded.as_bytes()).0, path(plain.as_bytes()).0);
        }
    }
}
