//! What is found in bodies, and what is marked.

use super::*;

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
    for (body, rest) in [
    
        (r#"{"a": "x\q"}"#, r#""x\q"}"#),
        (r#"{"a": 1.}"#, "1.}"),
        (r#"{"a": 1]"#, "]"),
        (r#"{"a": 1,}"#, "}"),
    ] {
        let expected = ["Name a=a".to_owned(), format!("Raw ={rest}")];
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check("application/json", body, &expected, BodyFormat::Json, &[BodyMark::Malformed]);
    }
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
fn a_multipart_form_has_fields_and_files() {
    let body = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--y\r\n--x\r\n\
                content-disposition: form-data; name=f; filename=\"p.php\"\r\nContent-Type: image/png\r\n\r\n\
                <?php\r\n--x--\r\n";
    check(
        "multipart/form-data; boundary=\"x\"",
        body,
        &["Name a=a", "Value a=1\r\n--y", "Name f=f", "FileName f=p.php", "FileContent f=<?php", "Value f=<?php"],
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
    for lie in
        ["", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "text/xml"]
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
