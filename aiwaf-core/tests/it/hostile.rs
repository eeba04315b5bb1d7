//! Requests that are made to hurt: too large, too many, too odd. Nothing panics, and what is said about them is bounded.

use aiwaf_core::{Engine, KeywordEntry, KeywordSource, Lists, Match, RoutePolicy};

use crate::visit::{Visit, standard};

const MIB: usize = 1 << 20;

fn repeated(part: &str, count: usize) -> Vec<u8> {
    part.repeat(count).into_bytes()
}

fn after_slash(rest: Vec<u8>) -> Vec<u8> {
    [b"/".to_vec(), rest].concat()
}

fn hostile() -> Vec<(&'static str, Visit)> {
    let path = |part: &str, count| Visit::get(after_slash(repeated(part, count)));
    let query = |part: &str, count| Visit::get([b"/?".to_vec(), repeated(part, count)].concat());
    let header = |name: &str, value: Vec<u8>| Visit::get("/").header(name, value);
    let mut many_headers = Visit::get("/");
    for number in 0..10_000 {
        many_headers = many_headers.and_header(&format!("x-{number}-{}", number % 7), "value");
    }
    vec![
        ("64 KiB of slashes", path("/", 65_536)),
        ("64 KiB of %25", path("%25", 21_845)),
        ("64 KiB of %2525", path("%2525", 13_000)),
        ("a tower of %25", Visit::get(format!("/%{}2e", "25".repeat(30_000)))),
        ("64 KiB of /..", path("../", 21_845)),
        ("deep and back", Visit::get(["/", &"a/".repeat(20_000), &"../".repeat(20_000)].concat())),
        ("64 KiB of ;", path(";", 65_536)),
        ("64 KiB of backslashes", path("\\", 65_536)),
        ("64 KiB of NUL", path("\0", 65_536)),
        ("64 KiB of overlong dots", Visit::get(after_slash([0xc0, 0xae].repeat(32_768)))),
        ("64 KiB of broken UTF-8", Visit::get(after_slash(vec![0xff; 65_536]))),
        ("64 KiB of lead bytes", Visit::get(after_slash(vec![0xf0; 65_536]))),
        ("64 KiB of almost keywords", path(".ph", 21_845)),
        ("64 KiB of keywords in words", path(".phpp", 13_000)),
        ("64 KiB of wildcard bait", path("/abab", 13_000)),
        ("10,000 parameters", query("uuid=&a=b&", 10_000)),
        ("10,000 tampered parameters", query("uuid=7&", 10_000)),
        ("64 KiB of +", query("+", 65_536)),
        ("64 KiB of %0a", query("%0a", 21_845)),
        ("a header of 1 MiB", header("x-large", vec![b'a'; MIB])),
        ("an agent of 1 MiB", header("user-agent", vec![b'a'; MIB])),
        (
            "an agent of 1 MiB of words",
            header("user-agent", repeated("Mozilla/5.0 (compatible; bot; ", 35_000)),
        ),
        ("an accept of 1 MiB", header("accept", repeated("text/html,", 100_000))),
        ("a referer of 1 MiB", header("referer", repeated("://", MIB / 3))),
        ("a content type of 1 MiB", Visit::form("/").header("content-type", repeated(";", MIB))),
        ("headers of broken UTF-8", header("user-agent", vec![0xff; 1000]).header("accept", vec![0; 1000])),
        ("10,000 headers", many_headers),
        ("an empty path", Visit::get("")),
        ("no path but a query", Visit::get("?a=b")),
        ("a star", Visit::get("*").method("OPTIONS")),
        (
            "an odd method and protocol",
            Visit::get("/").method("\u{202e}\0").protocol("HTTP/99999999999999999999"),
        ),
    ]
}

fn engine() -> Engine {
    let keyword = |keyword: &str| KeywordEntry {
        keyword: keyword.into(),
        count: 1,
        source: KeywordSource::Manual,
        added: None,
    };
    let exemption =
        |path: &str| aiwaf_core::PathExemptionEntry { path: path.into(), reason: String::new(), added: None };
    let lists = Lists {
        keywords: (4..200).map(|length| keyword(&"a".repeat(length))).collect(),
        path_exemptions: vec![exemption("/*a*b*c"), exemption("*.tar.gz")],
        ..Lists::default()
    };
    let routes = ["/{a}/{b}/{c}", "/files/{*rest}", "/items/{uuid}"];
    let builder = routes
        .into_iter()
        .fold(Engine::builder(), |builder, route| builder.route(route, RoutePolicy::default()));
    builder.lists(lists).build().unwrap()
}

#[test]
fn nothing_hostile_panics_and_what_is_said_of_it_is_short() {
    for (engine, status) in [(standard(), 200), (engine(), 404)] {
        for (number, (name, visit)) in hostile().into_iter().enumerate() {
            let address = [10, 0, u8::try_from(number).unwrap(), 1].into();
            let verdict = visit.clone().from(address).exchange(&engine, status);
            let Some(finding) = verdict.finding else { continue };
            let text = finding.reason.to_string();
            assert!(text.len() <= 400, "{name}: {text}");
            assert!(!text.chars().any(char::is_control), "{name}: {text}");
            if let Some(matched) = finding.matched {
                assert!(matched.text.chars().count() <= Match::MAX_TEXT, "{name}");
            }
        }
    }
}

#[test]
fn hostile_spellings_still_have_the_meaning_that_they_hide() {
    for path in [
        ["/", &"../".repeat(20_000), ".env"].concat(),
        ["/", &"a/../".repeat(10_000), ".env"].concat(),
        ["/", &"/".repeat(60_000), ".env"].concat(),
        format!("/%{}2eenv", "25".repeat(30_000)),
        ["/", &"%00".repeat(20_000), ".env"].concat(),
    ] {
        let objection = Visit::get(&path).objection(&standard());
        assert_eq!(objection.as_deref(), Some("Keyword block: .env"), "{}", &path[..20]);
    }
}
