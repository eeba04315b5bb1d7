//! What is found in bodies, and what is marked.

use super::*;
use crate::decode::Part;

/// What is found in a body, as `part name=value`, and what became of it.
fn found(content_type: &str, body: &str, limits: &BodyLimits) -> (Vec<String>, BodyOutcome) {
    let mut found = Vec::new();
    let outcome = fields(Some(content_type.as_bytes()), body.as_bytes(), limits, &mut |parameter| {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        found.push(format!("{:?} {}={}", parameter.part, text(parameter.name), text(parameter.value)));
    });
    (found, outcome)
}

#[track_caller]
fn check(content_type: &str, body: &str, expected: &[&str], format: BodyFormat, marks: &[BodyMark]) {
    let (found, outcome) = found(content_type, body, &BodyLimits::default());
    assert_eq!(found, expected);
    assert_eq!((outcome.format, outcome.marks().collect::<Vec<_>>()), (format, marks.to_vec()));
}

#[test]
fn a_form_has_names_and_values() {
    check(
        "application/x-www-form-urlencoded; charset=UTF-8",
        "a=1&b%5B%5D=x+y&&c",
        &["Name a=a", "Value a=1", "Name b[]=b%5B%5D", "Value b[]=x+y", "Name c=c"],
        BodyFormat::UrlEncoded,
        &[],
    );
}

#[test]
fn json_is_visited_to_its_leaves_and_every_equal_key_counts() {
    check(
        "application/json",
        r#"{"a": "x", "a": ["\u0079\n", {"b c": true, "d": -1.5e3}], "e": {}, "": null}"#,
        &["Name a=a", "Value a=x", "Value a[]=y\n", "Name a[].b c=b c", "Name a[].d=d", "Name e=e"],
        BodyFormat::Json,
        &[],
    );
    check("application/json", r#""a" ["b"]"#, &["Value =a", "Value []=b"], BodyFormat::Json, &[]);
}

#[test]
fn a_key_is_given_again_only_on_another_path() {
    check(
        "application/json",
        r#"[{"a": 1, "b": {"a": 2}}, {"a": 3, "b": {"a": 4}}, {"b.a": 5}]"#,
        &["Name [].a=a", "Name [].b=b", "Name [].b.a=a", "Name [].b.a=b.a"],
        BodyFormat::Json,
        &[],
    );
}

#[test]
fn broken_json_is_raw_from_where_it_breaks() {
    for (body, rest) in [(r#"{"a": 1.}"#, "1.}"), (r#"{"a": 1]"#, "]"), (r#"{"a": 1,}"#, "}")] {
        let expected = ["Name a=a".to_owned(), format!("Raw ={rest}")];
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check("application/json", body, &expected, BodyFormat::Json, &[BodyMark::Malformed]);
    }
}

#[test]
fn what_lenient_json_parsers_accept_is_judged() {
    let malformed = &[BodyMark::Malformed];
    check(
        "application/json",
        r#"{"a": 1.,"it's"}"#,
        &["Name a=a", "Value =it's", "Raw =1.,\"it's\"}"],
        BodyFormat::Json,
        malformed,
    );
    check(
        "application/json",
        "{'a': 'x'}",
        &["Value =a", "Value =x", "Raw ='a': 'x'}"],
        BodyFormat::Json,
        malformed,
    );
    check(
        "application/json",
        r#"{"a": "x\q\u00g"}"#,
        &["Name a=a", "Value a=xqu00g"],
        BodyFormat::Json,
        malformed,
    );
    let commented = r#"{/* b */"a" // c
        : "x"}"#;
    check(
        "application/json",
        commented,
        &["Raw = b ", "Name a=a", "Raw = c", "Value a=x"],
        BodyFormat::Json,
        &[BodyMark::JsonComment],
    );
}

#[test]
fn a_huge_number_is_judged() {
    let body = "9".repeat(65);
    let expected = format!("Value ={body}");
    check("application/json", &body, &[&expected], BodyFormat::Json, &[BodyMark::BigNumber]);
}

#[test]
fn xml_has_texts_and_attributes_and_expands_nothing() {
    check(
        "text/xml",
        "<?xml version=\"1.0\"?><a href='1&#39;2'>un<![CDATA[ion]]> select<b.c/>&lt;x></a>",
        &["Value a@href=1'2", "Value a=union select", "Name b.c=b.c", "Value a=<x>"],
        BodyFormat::Xml,
        &[],
    );
    let (_, outcome) = found(
        "text/xml",
        "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
        &BodyLimits::default(),
    );
    let marks = [BodyMark::Doctype, BodyMark::Entity, BodyMark::ExternalEntity];
    assert_eq!(outcome.marks().collect::<Vec<_>>(), marks);
    let svg = "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/svg11.dtd\"><svg/>";
    assert_eq!(
        found("image/svg+xml", svg, &BodyLimits::default()).1.marks().collect::<Vec<_>>(),
        [BodyMark::Doctype]
    );
}

#[test]
fn broken_tag_is_raw_from_its_beginning() {
    let malformed = &[BodyMark::Malformed];
    check(
        "text/xml",
        "<a><b c='d' e=f>g",
        &["Value b@c=d", "Raw =<b c='d' e=f>g"],
        BodyFormat::Xml,
        malformed,
    );
    check("text/xml", "<b c='d", &["Value b@c=d", "Raw =<b c='d"], BodyFormat::Xml, malformed);
}

#[test]
fn compressed_body_is_not_ambiguous() {
    assert_eq!(marks(&["application/json"], b"\x1f\x8b\x08\0\0\0\0\0"), [BodyMark::Malformed]);
    assert_eq!(marks(&["multipart/form-data"], b"\x08\x01\x12\0\0"), [BodyMark::Malformed]);
}

#[test]
fn a_multipart_form_has_fields_and_files() {
    let body = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--y\r\n--x\r\n\
                content-disposition: form-data; name=f; filename=\"p.php\"\r\nContent-Type: image/png\r\n\r\n\
                <?php\r\n--x--\r\n";
    check(
        "multipart/form-data; boundary=\"x\"",
        body,
        &[
            "Name a=a",
            "Value a=1\r\n--y",
            "Name f=f",
            "FileName f=p.php",
            "FileContent f=<?php",
            "Value f=<?php",
        ],
        BodyFormat::Multipart,
        &[],
    );
}

#[test]
fn a_part_that_parsers_read_differently_is_field_and_file() {
    let body = "--x\r\nContent-Disposition: form-data; name=a; filename*=UTF-8''b\r\n\r\n1\r\n--x--";
    check(
        "multipart/form-data; boundary=x",
        body,
        &["Name a=a", "FileName a=UTF-8''b", "Value a=1"],
        BodyFormat::Multipart,
        &[BodyMark::AmbiguousPart],
    );
}

#[test]
fn a_body_is_read_as_what_it_is() {
    let json = r#"{"a":"1"}"#;
    let expected = ["Name a=a", "Value a=1"];
    for lie in ["", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "text/xml"]
    {
        check(lie, json, &expected, BodyFormat::Json, &[BodyMark::Sniffed]);
    }
    check("", "a=1", &expected, BodyFormat::UrlEncoded, &[BodyMark::Sniffed]);
    check("text/plain", "see a = b", &["Raw =see a = b"], BodyFormat::Text, &[]);
    check(
        "application/x-www-form-urlencoded",
        r#"{"a&b=1"#,
        &["Name =a&b=1", "Value =1"],
        BodyFormat::Json,
        &[BodyMark::Sniffed, BodyMark::Malformed],
    );
    check("image/png", "\u{89}PNG\0", &["FileContent =\u{89}PNG\0"], BodyFormat::Binary, &[]);
}

#[test]
fn charset_that_hides_ascii_is_marked_and_decoded() {
    for (content_type, body, expected, marks) in [
        ("text/plain; charset=IBM037", "x", &["Raw =x"][..], &[BodyMark::HidingCharset][..]),
        ("text/plain; charset=utf-16le", "x\0", &["Raw =x\0", "Raw =x"], &[BodyMark::HidingCharset]),
        ("text/plain; charset=utf-7", "+ADw-", &["Raw =+ADw-", "Raw =<"], &[BodyMark::HidingCharset]),
        ("text/plain; charset=\"utf-8\"", "x", &["Raw =x"], &[]),
        ("text/plain;charset=ISO-8859-15", "x", &["Raw =x"], &[]),
    ] {
        check(content_type, body, expected, BodyFormat::Text, marks);
    }
}

#[test]
fn what_is_beyond_a_limit_is_raw() {
    let limits = BodyLimits { max_fields: 1, max_depth: 2, max_file_bytes: 2 };
    for (content_type, body, expected, mark) in [
        ("application/x-www-form-urlencoded", "a=1&b=2", "Raw =b=2", BodyMark::TooManyFields),
        ("application/json", r#"["a", "b"]"#, r#"Raw ="b"]"#, BodyMark::TooManyFields),
        ("application/json", "[[[1]]]", "Raw =[1]]]", BodyMark::TooDeep),
        ("text/xml", "<a><b/></a>", "Raw =<b/></a>", BodyMark::TooManyFields),
    ] {
        let (found, outcome) = found(content_type, body, &limits);
        assert_eq!(found.last().map(String::as_str), Some(expected));
        assert_eq!(outcome.marks().collect::<Vec<_>>(), [mark]);
    }
}

#[test]
fn body_that_is_cut_off_is_not_malformed() {
    let json = r#"{"a": "some long text", "b": 12345}"#;
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nsome long text\r\n--x--";
    let xml = "<a b='c'>some long text</a>";
    for (content_type, body) in
        [("application/json", json), ("multipart/form-data; boundary=x", multipart), ("text/xml", xml)]
    {
        for end in body.len() - 14..body.len() {
            let reader = BodyReader::new(BodyHead::new([content_type.as_bytes()]), &BodyLimits::default());
            let mut found = Vec::new();
            let outcome = reader.cut_off(&body.as_bytes()[..end], &mut |parameter| {
                found.push(String::from_utf8_lossy(parameter.value).into_owned());
            });
            assert_eq!(outcome.marks().collect::<Vec<_>>(), [BodyMark::Truncated], "{end}");
            assert!(found.iter().any(|value| value.starts_with("some")), "{found:?}");
        }
    }
}

/// The marks of a body with these content types, without [`BodyMark::Ambiguous`].
fn marks(content_types: &[&str], body: &[u8]) -> Vec<BodyMark> {
    let head = BodyHead::new(content_types.iter().map(|value| value.as_bytes()));
    let outcome = BodyReader::new(head, &BodyLimits::default()).finish_with(body, &mut |_| {});
    outcome.marks().filter(|mark| *mark != BodyMark::Ambiguous).collect()
}

/// A form with one part, of which the head is given.
fn part(head: &str) -> String {
    format!("--b\r\n{head}\r\n\r\nv\r\n--b--\r\n")
}

const FORM: &str = "multipart/form-data; boundary=b";

const DISPOSITION: &str = "Content-Disposition: form-data; name=\"a\"";

/// The kinds of discrepancies of "WAFFLED" (arXiv 2503.10846), and others.
#[test]
fn content_types_that_parsers_read_differently_are_marked() {
    use BodyMark::{
        BadBoundary, BadQuoting, DuplicateContentType, DuplicateParameter, HidingCharset, MissingBoundary,
    };
    let body = part(DISPOSITION);
    for (content_types, expected) in [
        (
            &["multipart/form-data; boundary=b", "multipart/form-data; boundary=c"][..],
            &[DuplicateContentType][..],
        ),
        (&["multipart/form-data; boundary=b", "application/json"], &[DuplicateContentType]),
        (&["multipart/form-data; boundary=b", "multipart/form-data; boundary=b"], &[]),
        (&["multipart/form-data; boundary=b; boundary=c"], &[DuplicateParameter]),
        (&["multipart/form-data; boundary=b; Boundary*=c"], &[DuplicateParameter]),
        (
            &["multipart/form-data; boundary=b; charset=utf-8; charset=utf-7"],
            &[HidingCharset, DuplicateParameter],
        ),
        (&["multipart/form-data; boundary*0=b; boundary*1=c"], &[DuplicateParameter, MissingBoundary]),
        (&["multipart/form-data"], &[MissingBoundary]),
        (&["multipart/form-data; boundary=\"\""], &[MissingBoundary]),
        (&["multipart/form-data; boundary=b,c"], &[BadBoundary]),
        (&["multipart/form-data; boundary=\"b\"c"], &[BadQuoting]),
        (&["multipart/form-data; boundary=\"b"], &[BadQuoting]),
        (&["multipart/form-data; boundary=\"b\""], &[]),
        (&["multipart/form-data;boundary=b;charset=UTF-8"], &[]),
        (&["Multipart/Form-Data; Boundary = b"], &[]),
    ] {
        assert_eq!(marks(content_types, body.as_bytes()), expected, "{content_types:?}");
    }
    for (boundary, is_good) in [
        ("----WebKitFormBoundary7MA4YWxkTrZu0gW", true),
        ("---------------------------735323031399963166993862150", true),
        ("----=_Part_1_2067435163.1513348439155", true),
        ("\"gc0pJq0M:08jU534c0p'()+_,-./:=?\"", false),
        ("\"gc0pJq0M:08jU534c0p'()+_-./:=?\"", true),
        ("b@c", false),
        ("\"b \"", false),
        (&"b".repeat(71), false),
    ] {
        let body = body.replace("--b", &format!("--{}", boundary.trim_matches('"')));
        let found = marks(&[&format!("multipart/form-data; boundary={boundary}")], body.as_bytes());
        assert_eq!(found.is_empty(), is_good, "{boundary}: {found:?}");
    }
}

#[test]
fn parts_that_parsers_read_differently_are_marked() {
    use BodyMark::{
        AmbiguousPart, BadPartHeader, BadQuoting, DuplicateParameter, EncodedPart, HidingCharset,
    };
    for (head, expected) in [
        (&*format!("{DISPOSITION}; name=\"b\""), &[AmbiguousPart, DuplicateParameter][..]),
        (&format!("{DISPOSITION}; filename=\"x\"; filename=\"y\""), &[AmbiguousPart, DuplicateParameter]),
        (&format!("{DISPOSITION}; filename*0=x; filename*1=y"), &[AmbiguousPart, DuplicateParameter]),
        (&format!("{DISPOSITION}; filename=\"x\"; filename*=UTF-8''%C3%A9"), &[]),
        ("Content-Disposition: form-data; name=\"a\"b", &[BadQuoting]),
        ("Content-Disposition: form-data; name=\"a", &[BadQuoting]),
        ("Content-Disposition: form-data;\r\n name=\"a\"", &[AmbiguousPart, BadPartHeader]),
        (&format!("{DISPOSITION}\r\n{DISPOSITION}"), &[AmbiguousPart, DuplicateParameter, BadPartHeader]),
        ("Content-Disposition : form-data; name=\"a\"", &[BadPartHeader]),
        ("Content-Disposition: form-da\0a; name=\"a\"", &[BadPartHeader]),
        ("no colon", &[AmbiguousPart, BadPartHeader]),
        ("", &[AmbiguousPart]),
        (&format!("{DISPOSITION}\r\nContent-Transfer-Encoding: base64"), &[EncodedPart]),
        (&format!("{DISPOSITION}\r\nContent-Transfer-Encoding: Quoted-Printable"), &[EncodedPart]),
        (&format!("{DISPOSITION}\r\nContent-Transfer-Encoding: binary"), &[]),
        (&format!("{DISPOSITION}\r\nContent-Type: text/plain; charset=iso-2022-jp"), &[HidingCharset]),
        (&format!("{DISPOSITION}\r\nContent-Type: text/plain; charset=ibm037"), &[HidingCharset]),
        (&format!("{DISPOSITION}\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: 1"), &[]),
        (
            &format!("content-disposition: form-data; name=_charset_\r\n\r\nutf-7\r\n--b\r\n{DISPOSITION}"),
            &[HidingCharset],
        ),
    ] {
        let head = if head.is_empty() { "Content-Type: text/plain" } else { head };
        assert_eq!(marks(&[FORM], part(head).as_bytes()), expected, "{head}");
    }
}

#[test]
fn delimiters_that_parsers_read_differently_are_marked() {
    use BodyMark::{BadPartHeader, BareLineFeed, LooseDelimiter, Malformed, UnclosedMultipart};
    for (body, expected) in [
        (
            part(DISPOSITION).replace("v\r\n--b--", "v--b--"),
            &[Malformed, LooseDelimiter, UnclosedMultipart][..],
        ),
        (
            part(DISPOSITION).replace("v\r\n--b--", "v\r--b--"),
            &[Malformed, LooseDelimiter, UnclosedMultipart],
        ),
        (part(DISPOSITION).replace("v\r\n--b--", "v\n--b--"), &[BareLineFeed]),
        (part(DISPOSITION).replace("\r\n", "\n"), &[BareLineFeed]),
        (part(DISPOSITION).replace("--b\r\n", "--b \r\n"), &[LooseDelimiter]),
        (part(DISPOSITION).replace("--b\r\n", "--bc\r\n"), &[LooseDelimiter]),
        (part(DISPOSITION).replace("--b--\r\n", ""), &[Malformed, UnclosedMultipart]),
        (part(DISPOSITION).replace("\r\n\r\nv", ""), &[Malformed, BadPartHeader]),
        (format!("{}trailing", part(DISPOSITION)), &[Malformed]),
    ] {
        let found = marks(&[FORM], body.as_bytes());
        assert!(expected.iter().all(|mark| found.contains(mark)), "{body:?}: {found:?}");
    }
}

#[test]
fn encoded_parts_are_judged_decoded() {
    let head = format!("{DISPOSITION}\r\nContent-Transfer-Encoding: base64");
    let (found, _) =
        found(FORM, &part(&head).replace("\r\nv\r\n", "\r\nPHNjcmlwdD4=\r\n"), &BodyLimits::default());
    assert!(found.contains(&"Value a=<script>".to_owned()), "{found:?}");
    let head = format!("{DISPOSITION}\r\nContent-Type: text/plain; charset=utf-7");
    let (found, _) =
        self::found(FORM, &part(&head).replace("\r\nv\r\n", "\r\n+ADw-b>\r\n"), &BodyLimits::default());
    assert!(found.contains(&"Value a=<b>".to_owned()), "{found:?}");
}

#[test]
fn texts_with_file_names_are_judged_as_fields_if_they_could_be() {
    let is_value = |head: &str, content: &str| {
        let body =
            part(&format!("{DISPOSITION}; {head}")).replace("\r\nv\r\n", &format!("\r\n{content}\r\n"));
        let (found, outcome) = found(FORM, &body, &BodyLimits::default());
        assert_eq!(outcome.marks().count(), 0);
        found.iter().any(|field| field.starts_with("Value a="))
    };
    assert!(is_value("filename=\"x.txt\"", "' or 1=1--"));
    assert!(is_value("filename=\"\"", &"long text\n".repeat(1000)));
    let source = "use std::fs;\n\nfn main() {\n    let text = fs::read_to_string(\"a\");\n    println!(\"{text:?}\");\n}\n";
    assert!(!is_value("filename=\"main.rs\"", source));
    assert!(!is_value("filename=\"a.bin\"", "\u{1}\u{2}\u{3}\0"));
    assert!(!is_value("filename=\"\"", &"\u{1}\u{2}\u{3}\0".repeat(1000)));
}

#[test]
fn what_can_run_is_found_anywhere_in_a_file() {
    for text in [
        "<?php system('id');",
        "<%@ page language=\"java\" %>",
        "<script>x</script>",
        "#!/bin/sh\n",
        "<?= `id` ?>",
    ] {
        let padding = "\u{1}\u{2}x".repeat(7000);
        let body = part(&format!("{DISPOSITION}; filename=\"x.png\""))
            .replace("\r\nv\r\n", &format!("\r\n{padding}{text}{padding}\r\n"));
        let (found, _) = found(FORM, &body, &BodyLimits::default());
        assert!(found.iter().any(|field| field.starts_with(&format!("FileContent a={text}"))), "{text}");
        assert!(found.iter().map(String::len).sum::<usize>() < 10_000);
    }
}

#[test]
fn serialized_objects_are_marked() {
    let java = b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap";
    let dotnet = b"\x00\x01\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00\x0c\x02";
    let pickle = b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix";
    for body in [&java[..], dotnet, pickle] {
        for content_type in ["", "application/octet-stream", "image/png"] {
            assert!(marks(&[content_type], body).contains(&BodyMark::SerializedObject), "{content_type}");
        }
        let head = part(&format!("{DISPOSITION}; filename=x")).replace("v\r\n--b--\r\n", "");
        let part = [head.as_bytes(), body, b"\r\n--b--"];
        let expected: &[BodyMark] = if body == pickle { &[] } else { &[BodyMark::SerializedObject] };
        assert_eq!(marks(&[FORM], &part.concat()), expected);
    }
    assert!(marks(&["application/json"], java).contains(&BodyMark::SerializedObject));
    assert_eq!(marks(&["application/octet-stream"], b"\x80\x04 other bytes \x01\x02"), [BodyMark::Sniffed]);
}

#[test]
fn bytes_that_hide_text_are_marked() {
    use BodyMark::{HidingCharset, InvalidUtf8, NulByte};
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for (content_type, body, expected) in [
        ("application/json", b"{\"a\"\0:1}".to_vec(), NulByte),
        ("application/x-www-form-urlencoded", b"a\0b=1".to_vec(), NulByte),
        ("application/json", b"{\"a\":\"\xff\"}".to_vec(), InvalidUtf8),
        ("application/json", utf16("{\"a\":1}"), HidingCharset),
        ("text/xml", utf16("\u{feff}<a/>"), HidingCharset),
        ("", utf16("\u{feff}text"), HidingCharset),
        ("text/xml", b"<?xml version='1.0' encoding='ibm037'?><a/>".to_vec(), HidingCharset),
        ("application/x-www-form-urlencoded", b"_charset_=utf-7&a=1".to_vec(), HidingCharset),
    ] {
        assert!(marks(&[content_type], &body).contains(&expected), "{content_type} {}", body.escape_ascii());
    }
    let dotnet = "<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>";
    assert_eq!(marks(&["text/xml"], dotnet.as_bytes()), []);
}

#[test]
fn strings_of_protobuf_are_judged() {
    let inner = b"\x0a\x05union\x10\x96\x01";
    let message = [&b"\x12\x0a"[..], inner, b"\x1a\x06select\x22\x03\xff\xfe\x00"].concat();
    let frame = [&[0, 0, 0, 0, u8::try_from(message.len()).unwrap()][..], &message].concat();
    for (content_type, body) in
        [("application/grpc", [&frame[..], &frame].concat()), ("application/x-protobuf", message)]
    {
        let mut found = Vec::new();
        let outcome =
            fields(Some(content_type.as_bytes()), &body, &BodyLimits::default(), &mut |parameter| {
                if parameter.part == Part::Value {
                    found.push(String::from_utf8_lossy(parameter.value).into_owned());
                }
            });
        assert_eq!(outcome.marks().count(), 0);
        found.dedup();
        assert_eq!(found.get(..2), Some(&["union".to_owned(), "select".to_owned()][..]), "{found:?}");
    }
    assert!(marks(&["application/grpc+json"], b"{\"a\":1}").is_empty());
    assert!(marks(&["application/grpc"], b"' or 1=1 --").contains(&BodyMark::Malformed));
    assert!(marks(&["application/grpc"], b"\x01\0\0\0\x01x").contains(&BodyMark::CompressedFrame));
}

#[test]
fn memory_is_bounded_and_time_linear() {
    let repeated = |start: &str, text: &str, times: usize| format!("{start}{}", text.repeat(times));
    for (content_type, body) in [
        ("application/json", repeated("", "[", 330_000)),
        ("application/json", repeated("[", "\"a\",", 100_000)),
        ("application/json", repeated("{\"a\":\"", "\\u0041", 66_000)),
        ("application/x-www-form-urlencoded", repeated("", "a&", 166_000)),
        ("text/xml", repeated("", "<a>", 100_000)),
        ("text/xml", repeated("<a", " ", 330_000)),
        ("text/xml", repeated("<!DOCTYPE a [", "<!ENTITY b '", 26_000)),
        (FORM, repeated("--b\r\n", "--b\r\n", 66_000)),
        (FORM, repeated("--b\r\n", "a: b\r\n", 53_000)),
        (FORM, repeated("--b\r\nContent-Disposition: form-data; ", "a=b;", 83_000)),
        (
            FORM,
            repeated("--b\r\nContent-Disposition: form-data; name=x; filename=y\r\n\r\n", "<?php ", 53_000),
        ),
        ("image/png", repeated("\u{1}\u{2}", "<?", 166_000)),
        ("application/grpc", repeated("", "\0\u{1}", 166_000)),
    ] {
        let limits = BodyLimits::default();
        let mut reader = BodyReader::new(BodyHead::new([content_type.as_bytes()]), &limits);
        let mut shown = 0;
        let used = allocation_counter::measure(|| {
            for chunk in body.as_bytes().chunks(16 * 1024) {
                reader.feed(chunk, &mut |parameter| shown += parameter.value.len());
            }
            let reader = std::mem::replace(&mut reader, BodyReader::new(BodyHead::default(), &limits));
            reader.finish(&mut |parameter| shown += parameter.value.len());
        });
        assert!(used.bytes_max < 128 * 1024, "{content_type}: {} bytes", used.bytes_max);
        assert!(shown < 4 * body.len() + 10_000, "{content_type}: {shown} of {}", body.len());
    }
}

#[test]
fn small_body_in_one_chunk_costs_no_allocation() {
    for (content_type, body) in [
        ("application/json", r#"{"name": "x", "tags": ["a", "b\n"]}"#),
        ("application/x-www-form-urlencoded", "a=1&b%5B%5D=x+y"),
        ("text/xml", "<a b='c'>d</a>"),
        ("text/plain", "text"),
    ] {
        let used = allocation_counter::measure(|| {
            let reader = BodyReader::new(BodyHead::new([content_type.as_bytes()]), &BodyLimits::default());
            reader.finish_with(body.as_bytes(), &mut |_| {});
        });
        assert_eq!(used.count_total, 0, "{content_type}");
    }
    assert!(size_of::<BodyReader>() <= 256);
}
