//! What holds for the forms of every value.

use base64::prelude::{
    BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine,
};
use proptest::prelude::*;

use super::*;

const PLACES: [Place; 6] =
    [Place::Path, Place::Query, Place::Form, Place::Cookie, Place::Header, Place::Content];

fn form(value: &[u8], place: Place, form: Form) -> Option<Vec<u8>> {
    Forms::default().of(value, Kinds::of(value), place, FormSet::ALL).get(form).map(<[u8]>::to_vec)
}

/// Values that are mostly made of what decoders look for.
fn tricky() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[a-zA-Z0-9 ]{0,3}".prop_map(String::into_bytes),
        "%(25){0,3}[0-9a-fA-F]{2}".prop_map(String::into_bytes),
        "%u00[0-9a-fA-F]{2}".prop_map(String::into_bytes),
        "&(amp;){0,2}(#[0-9]{1,3}|#x[0-9a-f]{1,2}|lt|gt|quot|colon);?".prop_map(String::into_bytes),
        r"\\(x[0-9a-f]{2}|u00[0-9a-f]{2}|u\{[0-9a-f]{1,6}\}|[0-7]{1,3}|[a-z]|\\)"
            .prop_map(String::into_bytes),
        r"(/\*|/\*!|\*/|--|#|\n|\t)".prop_map(String::into_bytes),
        r#"['"\\$^@*]|\$ifs|\$\{IFS\}|\$@"#.prop_map(String::into_bytes),
        r"(/|\\|\.|\.\.|://|%2f)".prop_map(String::into_bytes),
        prop_oneof![Just(vec![0xc0, 0xae]), Just(vec![0xe0, 0x80, 0xaf]), Just(vec![0xef, 0xbc, 0x9c])],
        proptest::collection::vec(any::<u8>(), 1..3),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn forms_are_distinct_and_never_longer(value in tricky(), place in proptest::sample::select(&PLACES[..])) {
        let mut forms = Forms::default();
        let list = forms.of(&value, Kinds::of(&value), place, FormSet::ALL);
        let all: Vec<_> = list.iter().collect();
        prop_assert_eq!(all[0], (Form::Sent, &value[..]));
        for (index, (form, text)) in all.iter().enumerate() {
            prop_assert!(text.len() <= value.len(), "{form:?}");
            prop_assert!(all[..index].iter().all(|(_, earlier)| earlier != text), "{form:?}");
        }
    }

    #[test]
    fn used_memory_changes_nothing(values in proptest::collection::vec(tricky(), 1..4)) {
        let mut used = Forms::default();
        for value in &values {
            let list = used.of(value, Kinds::of(value), Place::Query, FormSet::ALL);
            let mut fresh = Forms::default();
            prop_assert!(list.iter().eq(fresh.of(value, Kinds::of(value), Place::Query, FormSet::ALL).iter()));
        }
    }

    #[test]
    fn what_is_plain_stays_plain(value in tricky(), place in proptest::sample::select(&PLACES[..])) {
        let plain = form(&value, place, Form::Plain).unwrap();
        prop_assert_eq!(form(&plain, Place::Content, Form::Plain).unwrap(), plain);
    }

    #[test]
    fn what_is_folded_stays_folded(value in tricky()) {
        let path = form(&value, Place::Content, Form::Path).unwrap();
        prop_assert_eq!(form(&path, Place::Content, Form::Path).unwrap(), path.clone());
        prop_assert!(!path.windows(3).any(|part| part == b"/./"));
    }

    #[test]
    fn a_value_without_special_characters_has_one_form(value in "[a-z0-9_.,:;=()@!*~\u{e4}\u{4e2d}]{0,15}") {
        for place in PLACES {
            prop_assert!(Forms::default().of(value.as_bytes(), Kinds::of(value.as_bytes()), place, FormSet::ALL).iter().count() == 1);
        }
    }

    #[test]
    fn ordinary_text_is_only_folded_to_lower_case(value in "([A-Z]?[a-z]{1,8}( |, |\\. |: |! )){1,8}[0-9]{1,3}%") {
        let mut forms = Forms::default();
        let list = forms.of(value.as_bytes(), Kinds::of(value.as_bytes()), Place::Content, FormSet::ALL);
        let lower = value.to_lowercase();
        prop_assert!(list.iter().skip(1).all(|(form, text)| form == Form::Plain && text == lower.as_bytes()));
    }

    #[test]
    fn what_is_encoded_is_decoded(text in "[ -$&-~]{1,40}", depth in 1usize..4) {
        let lower = text.to_lowercase().into_bytes();
        let each = |encode: &dyn Fn(u32) -> String| -> String { text.chars().map(|c| encode(u32::from(c))).collect() };
        let mut percent = text.clone();
        for _ in 0..depth {
            percent = percent.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
        }
        let fullwidth: String = each(&|code| match code {
            0x21..=0x7e => char::from_u32(code + 0xfee0).unwrap().to_string(),
            _ => " ".to_owned(),
        });
        let overlong: Vec<u8> = text.bytes().flat_map(|byte| [0xc0 | byte >> 6, 0x80 | byte & 0x3f]).collect();
        let split_by_nul: Vec<u8> = text.bytes().flat_map(|byte| [byte, 0]).collect();
        let plain = [
            percent.into_bytes(),
            each(&|code| format!("%u{code:04x}")).into_bytes(),
            form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().into_bytes(),
            overlong,
            fullwidth.into_bytes(),
        ];
        for encoded in plain {
            let decoded = form(&encoded, Place::Query, Form::Plain).unwrap();
            prop_assert_eq!(&decoded, &lower, "{}", encoded.escape_ascii());
        }
        prop_assert_eq!(&form(&split_by_nul, Place::Content, Form::Plain).unwrap(), &lower);
        let unescaped = [
            each(&|code| format!("&#{code};")),
            each(&|code| format!("&#x{code:X};")),
            each(&|code| format!("&#000{code};")),
            each(&|code| format!("\\x{code:02x}")),
            each(&|code| format!("\\u{code:04X}")),
            each(&|code| format!("\\u{{{code:x}}}")),
            each(&|code| format!("\\{code:03o}")),
        ];
        // What the text itself has of that kind would be decoded as well.
        if !text.contains(['\\', '&']) {
            for encoded in unescaped {
                let decoded = form(encoded.as_bytes(), Place::Content, Form::Unescaped).unwrap();
                prop_assert_eq!(&decoded, &lower, "{}", encoded);
            }
            let css = each(&|code| format!("\\{code:06x}"));
            prop_assert_eq!(&form(css.as_bytes(), Place::Content, Form::CssUnescaped).unwrap(), &lower, "{}", css);
        }
    }

    #[test]
    fn a_value_without_other_forms_has_one_but_for_its_case(
        value in prop_oneof![tricky(), "[ -~]{0,40}|[a-zA-Z0-9.,:;=()/ -]{0,40}".prop_map(String::into_bytes)],
        place in proptest::sample::select(&PLACES[..]),
    ) {
        let is_there = |pair: &&str| memchr::memmem::find(&value, pair.as_bytes()).is_some();
        let kinds = Kinds::of(&value);
        if !Forms::TELLING_PAIRS.iter().any(is_there) && !Forms::has_others(&value, kinds, place) {
            let mut forms = Forms::default();
            let list = forms.of(&value, kinds, place, FormSet::ALL);
            prop_assert!(list.iter().all(|(_, text)| text.eq_ignore_ascii_case(&value)));
            prop_assert_eq!(list.get(Form::Base64), None);
        }
    }

    #[test]
    fn text_in_base64_is_decoded(text in "[ -$&-\\[\\]-~]{12,60}") {
        let lower = text.to_lowercase().into_bytes();
        for encoded in [
            BASE64_STANDARD.encode(&text),
            BASE64_STANDARD_NO_PAD.encode(&text),
            BASE64_URL_SAFE.encode(&text),
            BASE64_URL_SAFE_NO_PAD.encode(&text),
        ] {
            let decoded = form(encoded.as_bytes(), Place::Query, Form::Base64);
            prop_assert_eq!(decoded.as_ref(), Some(&lower), "{}", encoded);
        }
    }

    #[test]
    fn bytes_in_base64_are_left_alone(bytes in proptest::collection::vec(0u8..32, 12..60)) {
        let encoded = BASE64_STANDARD.encode(&bytes);
        prop_assume!(!bytes.iter().all(|byte| matches!(byte, 9 | 10 | 13)));
        prop_assert_eq!(form(encoded.as_bytes(), Place::Query, Form::Base64), None);
    }

    #[test]
    fn words_with_comments_between_are_one_blank_apart(
        words in proptest::collection::vec("[a-z]{1,6}", 2..5),
        between in proptest::sample::select(&["/**/", "/*x*/", " \t ", "\n", "--\n", "-- x\n", "#x\n", "/*a*//*b*/ "][..]),
    ) {
        let folded = form(words.join(between).as_bytes(), Place::Content, Form::SqlFolded).unwrap();
        prop_assert_eq!(folded, words.join(" ").into_bytes());
    }

    #[test]
    fn quoted_words_are_unquoted(
        word in "[a-z]{4,8}",
        at in 1usize..3,
        trick in proptest::sample::select(&["''", "\"\"", "\\", "^", "$@", "${@}", "$1"][..]),
    ) {
        let hidden = format!("{}{trick}{}", &word[..at], &word[at..]);
        let unquoted = form(hidden.as_bytes(), Place::Content, Form::ShellUnquoted).unwrap();
        prop_assert_eq!(unquoted, word.into_bytes(), "{}", hidden);
    }
}
