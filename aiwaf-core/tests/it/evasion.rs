//! The ways to spell a path so that it seems to be another one.

use aiwaf_core::{Engine, PathRule, Protection, RoutePolicy, Settings};

use crate::visit::{Visit, client, standard};

/// Spellings that some server takes for `/x.php`.
const SCRIPT: &[&str] = &[
    "/x.php",
    "/X.PHP",
    "/x%2ephp",
    "/x%2Ephp",
    "/x%252ephp",
    "/x%25252525252ephp",
    "/%78%2e%70%68%70",
    "/x.ph%70",
    "/x%c0%aephp",
    "/x%e0%80%aephp",
    "/x%f0%80%80%aephp",
    "/x%u002ephp",
    "/x%U002Ephp",
    "/x%ef%bc%8ephp",
    "/x%00.php",
    "/x.p%00hp",
    "/x.php%00",
    "/x.php%00.png",
    "/x.php%0a",
    "/x.p%0d%0ahp",
    "/x.php;.png",
    "/x.php;a=b/y.css",
    "//x.php",
    "/./x.php",
    "/a/../x.php",
    "/a/%2e%2e/x.php",
    "/a/..%2fx.php",
    "/a/..%5cx.php",
    "\\x.php",
    "/a\\..\\x.php",
    "/x.php/",
    "/x.php/y.css",
    "/x.php//y.css",
    "/x.php%2fy.css",
    "/x.php%3fy.css",
    "/x%2%65php",
    "/%2525252e/x.php",
    "/static/x.php",
    "/static/../x.php",
    "/.well-known/../x.php",
    "/x.php%20",
    "/x.php.",
    "/x.php~",
    "/x.php::$data",
    "/x.php%2500.jpg",
    "/%61/%2e%2e/%78.php",
];

#[test]
fn no_spelling_hides_a_keyword() {
    let engine = standard();
    for (path, number) in SCRIPT.iter().zip(1..) {
        let objection = Visit::get(path).from(client(number)).objection(&engine);
        assert_eq!(objection.as_deref(), Some("Keyword block: .php"), "{path}");
    }
}

#[test]
fn raw_bytes_hide_nothing_either() {
    for path in [
        &b"/x\xc0\xaephp"[..],
        b"/x.p\0hp",
        b"/x.ph\x01p",
        b"/\xff\xfe/x.php",
        b"/x\xef\xbc\x8ephp",
        b"/x.php\xff",
    ] {
        let objection = Visit::get(path).objection(&standard());
        assert_eq!(objection.as_deref(), Some("Keyword block: .php"), "{}", path.escape_ascii());
    }
}

/// What lies behind a folder that is exempt, in spellings that begin with the folder.
const OUTSIDE: &[&str] = &[
    "/open/../admin",
    "/open/%2e%2e/admin",
    "/open/..%2fadmin",
    "/open/..;/admin",
    "/open/.%2e/admin",
    "/open/%252e%252e/admin",
    "/open\\..\\admin",
    "/open/..\\admin",
    "/open/..%5cadmin",
    "/open/%c0%ae%c0%ae/admin",
    "/open/x/../../admin",
    "/open/.%00./admin",
    "/open/%u002e%u002e/admin",
    "/open/..%00/admin",
    "/open/..;x=y/admin",
];

/// Spellings that seem to be a style sheet or another asset.
const ASSET: &[&str] =
    &["/admin;.css", "/admin/..;/x.css/..", "/admin%3b.css", "/admin%00.css", "/admin/%2e%2e/x.css/.."];

#[test]
fn no_spelling_borrows_an_exemption() {
    let mut settings = Settings::default();
    settings.exemptions.exempt_paths = Some(vec!["/open/".into(), "*.css".into()]);
    let engine = Engine::builder().settings(settings).build().unwrap();
    for path in OUTSIDE.iter().chain(ASSET) {
        let applied = Visit::get(path).inspect(&engine).applied;
        assert!(applied.contains(Protection::RateLimit) && applied.contains(Protection::AiAnomaly), "{path}");
    }
    assert!(!Visit::get("/open/x").inspect(&engine).applied.contains(Protection::RateLimit));
}

#[test]
fn no_spelling_borrows_a_path_rule() {
    let mut settings = Settings::default();
    settings.path_rules =
        vec![PathRule { prefix: "/open/".into(), disable: Protection::ALL.to_vec(), rate_limit: None }];
    let engine = Engine::builder().settings(settings).build().unwrap();
    for path in OUTSIDE {
        let applied = Visit::get(path).inspect(&engine).applied;
        assert_eq!(applied, aiwaf_core::ProtectionSet::ALL, "{path}");
    }
    assert!(Visit::get("/open/x.php").inspect(&engine).is_allowed());
}

#[test]
fn no_spelling_gets_around_a_requirement() {
    // The service's router takes paths as sent: a spelling that reaches the route is the route.
    let engine = Engine::builder()
        .route("/admin/{page}", RoutePolicy::require_protection([Protection::RateLimit]))
        .build()
        .unwrap();
    for path in ["/admin/x.css", "/admin/favicon.ico", "/admin/%2e%2e", "/admin/x;.png", "/admin/%73tatic"] {
        assert!(Visit::get(path).inspect(&engine).applied.contains(Protection::RateLimit), "{path}");
    }
}

#[test]
fn honest_paths_with_odd_characters_are_left_alone() {
    let engine = standard();
    for path in [
        "/caf%C3%A9",
        "/%E6%97%A5%E6%9C%AC",
        "/a%20b/c",
        "/100%25",
        "/100%",
        "/v1.2/x..y",
        "/~user/",
        "/a+b",
        "/@me",
        "/x;jsessionid=1",
        "/a/./b",
        "/mail/a%40b.example",
        "/docs/php",
        "/php-tips",
        "/environment",
        "/gitlab",
        "/c%2B%2B",
        "/search?q=100%+off&next=%2Findex.php",
        "/wiki/AC%2FDC",
        "/phpbb.example",
    ] {
        assert_eq!(Visit::get(path).objection(&engine), None, "{path}");
    }
}
