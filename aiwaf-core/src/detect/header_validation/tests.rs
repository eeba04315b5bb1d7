use std::sync::LazyLock;

use super::*;
use crate::bots::BotPolicy;
use crate::detect::tests::head_of;
use crate::timestamp::Timestamp;

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/127.0.0.0 Safari/537.36";
/// One for all cases of the property, because building it takes longer than asking.
static DETECTOR: LazyLock<HeaderValidation> =
    LazyLock::new(|| HeaderValidation::new(&HeaderValidationSettings::default()).unwrap());

const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn inspect(settings: &HeaderValidationSettings, request: Request<'_>, headers: Pairs<'_>) -> Option<Finding> {
    let headers = headers.to_vec();
    let request = request.with_headers(&headers);
    head_of(&request, |head| HeaderValidation::new(settings).unwrap().head(head, &mut (), &mut ()))
}

fn request(method: &'static str, protocol: &'static str) -> Request<'static> {
    Request::new("203.0.113.9".parse().unwrap(), Timestamp::UNIX_EPOCH)
        .with_method(method)
        .with_uri("/")
        .with_protocol(protocol)
}

fn reason(protocol: &'static str, headers: Pairs<'_>) -> Option<String> {
    inspect(&HeaderValidationSettings::default(), request("GET", protocol), headers)
        .map(|finding| finding.reason.to_string())
}

fn get(headers: Pairs<'_>) -> Option<String> {
    reason("HTTP/1.1", headers)
}

#[test]
fn browsers_pass() {
    let page = [
        ("Host", "example.org"),
        ("Connection", "keep-alive"),
        ("User-Agent", CHROME),
        ("Accept", PAGE),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Accept-Language", "en-US,en;q=0.9"),
    ];
    let script = [
        ("user-agent", CHROME),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, deflate, br"),
        ("accept-language", "de"),
        ("sec-fetch-mode", "cors"),
    ];
    let downloader = [
        ("Connection", "Keep-Alive"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", "Microsoft BITS/7.8"),
    ];
    for headers in [&page[..], &script, &downloader] {
        for protocol in ["HTTP/1.1", "HTTP/2.0", "HTTP/3", ""] {
            assert_eq!(reason(protocol, headers), None, "{protocol} {headers:?}");
        }
    }
    assert_eq!(inspect(&HeaderValidationSettings::default(), request("GET", ""), &page), None);
}

#[test]
fn what_browsers_send_without_accept_passes() {
    let websocket = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("User-Agent", CHROME),
        ("Accept-Encoding", "gzip"),
        ("Accept-Language", "de"),
    ];
    assert_eq!(get(&websocket), None);
    let metadata = [("Sec-Fetch-Mode", "no-cors"), ("User-Agent", CHROME), ("Accept-Encoding", "gzip")];
    assert_eq!(get(&metadata), None);
    let report = [
        ("Content-Type", "application/reports+json"),
        ("User-Agent", CHROME),
        ("Accept-Encoding", "gzip"),
        ("Accept-Language", "de"),
    ];
    let settings = HeaderValidationSettings::default();
    assert_eq!(inspect(&settings, request("POST", "HTTP/1.1"), &report), None);
    assert_eq!(get(&report).as_deref(), Some("Missing required headers: accept"));
    // Chromium's update checks name no languages.
    assert_eq!(inspect(&settings, request("POST", "HTTP/1.1"), &report[..3]), None);
    assert!(inspect(&settings, request("POST", "HTTP/1.1"), &report[..2]).is_some());
}

#[test]
fn missing_headers_are_named_in_lower_case() {
    assert_eq!(get(&[]).as_deref(), Some("Missing required headers: user-agent, accept"));
    assert_eq!(get(&[("User-Agent", CHROME)]).as_deref(), Some("Missing required headers: accept"));
    assert_eq!(
        get(&[("User-Agent", "  "), ("Accept", "*/*")]).as_deref(),
        Some("Missing required headers: user-agent")
    );
}

#[test]
fn required_headers_depend_on_the_method() {
    let mut settings = HeaderValidationSettings {
        required_headers: vec!["HTTP_USER_AGENT".into(), "X_API_Key".into()],
        ..HeaderValidationSettings::default()
    };
    settings.required_headers_by_method.insert("options".into(), Vec::new());
    settings.required_headers_by_method.insert("HEAD".into(), vec!["User-Agent".into()]);
    let headers =
        [("User-Agent", CHROME), ("Accept-Encoding", "gzip"), ("Accept-Language", "de"), ("Accept", "*/*")];
    let verdict = |method| {
        inspect(&settings, request(method, "HTTP/1.1"), &headers).map(|finding| finding.reason.to_string())
    };
    assert_eq!(verdict("GET").as_deref(), Some("Missing required headers: x-api-key"));
    assert_eq!(verdict("HEAD"), None);
    assert_eq!(verdict("OPTIONS"), None);
    assert_eq!(inspect(&settings, request("OPTIONS", "HTTP/1.1"), &[]), None);
}

#[test]
fn a_protocol_without_headers_is_not_judged() {
    let request = request("", "");
    assert_eq!(head_of(&request, |head| DETECTOR.head(head, &mut (), &mut ())), None);
}

#[test]
fn tools_are_refused_with_the_place_that_gave_them_away() {
    let headers = [("User-Agent", " Mozilla/5.0 curl/8.4"), ("Accept", PAGE), ("Accept-Language", "de")];
    let finding =
        inspect(&HeaderValidationSettings::default(), request("GET", "HTTP/1.1"), &headers).unwrap();
    assert_eq!(finding.reason.to_string(), "Suspicious user agent: Pattern: curl");
    let matched = finding.matched.unwrap();
    assert_eq!(matched.field, Field::Header("user-agent".into()));
    assert_eq!((matched.start, matched.end, &*matched.text), (12, 16, "curl"));
    let long = "x".repeat(501);
    for (agent, what) in [("Mozilla", "Too short"), (&*long, "Too long")] {
        assert_eq!(
            get(&[("User-Agent", agent), ("Accept", PAGE)]).unwrap(),
            format!("Suspicious user agent: {what}")
        );
    }
}

#[test]
fn machines_that_name_themselves_pass() {
    for headers in [
        // Health probes and monitors.
        &[("User-Agent", "kube-probe/1.29"), ("Accept", "*/*"), ("Connection", "close")][..],
        &[("User-Agent", "GoogleHC/1.0"), ("Connection", "Keep-alive")],
        &[
            ("User-Agent", "ELB-HealthChecker/2.0"),
            ("Connection", "close"),
            ("Accept-Encoding", "gzip, compressed"),
        ],
        &[("User-Agent", "Blackbox Exporter/0.24.0"), ("Accept-Encoding", "gzip")],
        &[
            ("User-Agent", "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)"),
            ("Accept", "*/*"),
        ],
        // Apps.
        &[("User-Agent", "okhttp/4.12.0"), ("Accept-Encoding", "gzip"), ("Connection", "Keep-Alive")],
        &[("user-agent", "Dart/3.1 (dart:io)"), ("accept-encoding", "gzip")],
        &[("User-Agent", "Shop/12 CFNetwork/1474 Darwin/23.0.0"), ("Accept", "*/*")],
        &[("user-agent", "node"), ("accept", "*/*"), ("accept-language", "*"), ("sec-fetch-mode", "cors")],
        &[("User-Agent", "MyApp/1"), ("Accept", "*/*")],
        // Feed readers and previews.
        &[("User-Agent", "Feedly/1.0 (+http://www.feedly.com/fetcher.html)"), ("Accept", "*/*")],
        &[("User-Agent", "facebookexternalhit/1.1"), ("Accept", "*/*"), ("Range", "bytes=0-524287")],
        &[
            ("User-Agent", "Mozilla/5.0 (compatible; UnheardOf/1.0; +https://unheard.example/)"),
            ("Accept", "*/*"),
        ],
    ] {
        for protocol in ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0"] {
            assert_eq!(reason(protocol, headers), None, "{headers:?}");
        }
    }
}

#[test]
fn webhooks_pass() {
    let settings = HeaderValidationSettings::default();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let json = ("Content-Type", "application/json");
    for headers in [
        &[
            ("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)"),
            ("Accept", "application/json,*/*"),
            form,
        ][..],
        &[("User-Agent", "TwilioProxy/1.1"), ("X-Twilio-Signature", "c2lnbmF0dXJl"), ("Accept", "*/*"), form],
        &[("User-Agent", "PayPal IPN ( https://www.paypal.com/ipn )"), form],
        &[
            ("User-Agent", "GitHub-Hookshot/044aadd"),
            ("Accept", "*/*"),
            ("X-Hub-Signature-256", "sha256=0"),
            json,
        ],
        &[("User-Agent", "python-requests/2.31.0"), ("Accept", "*/*"), json],
        &[("User-Agent", "Go-http-client/1.1"), ("Accept-Encoding", "gzip"), form],
        &[("User-Agent", CHROME), ("Accept", "*/*"), ("Stripe-Signature", "t=1,v1=0"), form],
        &[("User-Agent", CHROME), ("Content-Type", "text/xml"), ("Accept-Encoding", "gzip")],
    ] {
        assert_eq!(inspect(&settings, request("POST", "HTTP/1.1"), headers), None, "{headers:?}");
    }
}

#[test]
fn libraries_are_blocked_only_where_they_fetch_pages() {
    let curl = ("User-Agent", "curl/8.5.0");
    for page in [&[curl, ("Accept", "*/*")][..], &[curl, ("Accept", PAGE)], &[curl]] {
        assert_eq!(get(page).as_deref(), Some("Suspicious user agent: Pattern: curl"), "{page:?}");
    }
    for other in [
        ("Accept", "application/json"),
        ("Accept", "image/png"),
        ("Authorization", "Bearer x"),
        ("X-Api-Key", "x"),
        ("Cookie", "session=x"),
        ("Content-Type", "application/json"),
    ] {
        assert_eq!(get(&[curl, other]), None, "{other:?}");
    }
    let settings = HeaderValidationSettings::default();
    let headers = [curl, ("Accept", "*/*")];
    for (method, blocked) in [("HEAD", true), ("POST", false), ("PUT", false), ("OPTIONS", false)] {
        let finding = inspect(&settings, request(method, "HTTP/1.1"), &headers);
        assert_eq!(finding.is_some(), blocked, "{method}");
    }
    let headers = headers.to_vec();
    let request = request("GET", "HTTP/1.1").with_headers(&headers);
    for (path, blocked) in [("/search", true), ("/api/items", false), ("/v1/items", false), ("/feed", false)]
    {
        assert_eq!(DETECTOR.judge(&request, path.as_bytes()).is_some(), blocked, "{path}");
    }
}

#[test]
fn second_user_agent_does_not_hide_a_scanner() {
    let headers =
        [("User-Agent", CHROME), ("User-Agent", "sqlmap/1.8"), ("Accept", PAGE), ("Accept-Language", "de")];
    assert_eq!(get(&headers).as_deref(), Some("Suspicious user agent: Pattern: sqlmap"));
}

#[test]
fn bot_settings_decide_by_class() {
    let bots =
        BotSettings { ai_crawler: BotPolicy::Block, library: BotPolicy::Allow, ..BotSettings::default() };
    let detector = HeaderValidation::new(&HeaderValidationSettings::default()).unwrap().with_bots(&bots);
    let verdict = |agent: &'static str| {
        let headers = vec![("User-Agent", agent), ("Accept", "*/*")];
        let request = request("GET", "HTTP/1.1").with_headers(&headers);
        detector.judge(&request, b"/").map(|finding| finding.reason.to_string())
    };
    assert_eq!(verdict("GPTBot/1.2").as_deref(), Some("Suspicious user agent: Bot class ai_crawler: GPTBot"));
    assert_eq!(verdict("curl/8.5"), None);
    assert_eq!(verdict("sqlmap curl/8.5").as_deref(), Some("Suspicious user agent: Pattern: sqlmap"));
}

#[test]
fn an_allowed_agent_needs_no_browsers_headers() {
    let settings = HeaderValidationSettings {
        allowed_agents: vec!["curl".into()],
        ..HeaderValidationSettings::default()
    };
    let verdict = |agent| inspect(&settings, request("GET", "HTTP/1.1"), &[("User-Agent", agent)]);
    assert_eq!(verdict("curl/8.4.0"), None);
    assert!(verdict("sqlmap curl/8.4.0").is_some());
    assert!(verdict("wget/1.0 curl").is_some());
}

#[test]
fn combinations_that_no_browser_sends_are_refused() {
    let bare = [("User-Agent", CHROME), ("Accept", "*/*"), ("Connection", "keep-alive")];
    assert!(get(&bare).unwrap().starts_with("Suspicious headers: Generic Accept"));
    let poor = [("User-Agent", CHROME), ("Accept", "text/html")];
    assert!(get(&poor).unwrap().starts_with("Suspicious headers: Missing all"));
    assert!(reason("HTTP/2", &poor).unwrap().starts_with("Suspicious headers: Missing all"));
    assert_eq!(get(&[("User-Agent", CHROME), ("Accept", "text/html"), ("Connection", "close")]), None);
    let old = |agent| {
        [("User-Agent", agent), ("Accept", "*/*"), ("Accept-Encoding", "gzip"), ("Accept-Language", "de")]
    };
    let ie8 = old("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)");
    assert!(reason("HTTP/2.0", &ie8).unwrap().starts_with("Suspicious headers: HTTP/2"));
    assert_eq!(reason("HTTP/1.1", &ie8), None);
    let ie11 = old("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/7.0)");
    assert_eq!(reason("HTTP/2.0", &ie11), None);
}

#[test]
fn original_defect_19_a_proxy_that_speaks_http_1_0_locks_nobody_out() {
    let direct = [
        ("User-Agent", CHROME),
        ("Accept", PAGE),
        ("Accept-Encoding", "gzip"),
        ("Accept-Language", "de"),
        ("X-Other", "keep-alive"),
    ];
    assert_eq!(reason("HTTP/1.0", &direct).unwrap(), "Suspicious headers: Modern browser with HTTP/1.0");
    for mark in [
        ("Connection", "close"),
        ("X-Forwarded-For", "198.51.100.7"),
        ("X-Real-IP", "198.51.100.7"),
        ("Forwarded", "for=198.51.100.7"),
        ("Via", "1.0 proxy"),
        ("X-Forwarded-Proto", "https"),
    ] {
        let mut headers = direct;
        headers[4] = mark;
        assert_eq!(reason("HTTP/1.0", &headers), None, "{mark:?}");
    }
    let mut text_browser = direct;
    text_browser[0].1 = "ELinks/0.13.1 (textmode; Linux; 80x24-2)";
    assert_eq!(reason("HTTP/1.0", &text_browser), None);
}

#[test]
fn original_defect_20_attack_tools_lose_with_all_of_a_browsers_headers() {
    for agent in ["sqlmap googlebot", "nikto", "Googlebot/2.1 masscan/1.3"] {
        let headers = [("User-Agent", agent), ("Accept", PAGE), ("Accept-Language", "de")];
        assert!(get(&headers).unwrap().starts_with("Suspicious user agent: Pattern: "), "{agent}");
    }
}

#[test]
fn original_defect_32_the_quality_score_can_be_the_reason() {
    // With the defaults: metadata of a browser, but nothing else of it.
    let headers = [("User-Agent", CHROME), ("Sec-Fetch-Mode", "navigate")];
    assert_eq!(get(&headers).as_deref(), Some("Low header quality score: 2"));
    // With fewer headers required, and with a higher score asked for.
    let fewer = HeaderValidationSettings {
        required_headers: vec!["accept".into()],
        ..HeaderValidationSettings::default()
    };
    let finding = inspect(&fewer, request("GET", "HTTP/1.1"), &[("Accept", "*/*")]).unwrap();
    assert_eq!(finding.reason, Reason::LowHeaderQuality(2));
    let strict = HeaderValidationSettings { min_quality_score: 7, ..HeaderValidationSettings::default() };
    let headers = [("User-Agent", CHROME), ("Accept", PAGE), ("Accept-Encoding", "gzip")];
    let finding = inspect(&strict, request("GET", "HTTP/1.1"), &headers).unwrap();
    assert_eq!(finding.reason, Reason::LowHeaderQuality(6));
    let headers =
        [("User-Agent", CHROME), ("Accept", PAGE), ("Accept-Encoding", "gzip"), ("Connection", "TE")];
    assert_eq!(inspect(&strict, request("GET", "HTTP/1.1"), &headers), None);
}

proptest::proptest! {
    #[test]
    fn any_headers_are_judged(
        agent in "\\PC{0,80}", accept in "\\PC{0,20}", name in "[ -~]{0,20}", protocol in "[ -~]{0,10}",
    ) {
        let headers = vec![("User-Agent", agent), ("Accept", accept), (&*name, String::new())];
        let request = Request::new("203.0.113.9".parse().unwrap(), Timestamp::UNIX_EPOCH)
            .with_protocol(&protocol)
            .with_headers(&headers);
        if let Some(finding) = head_of(&request, |head| DETECTOR.head(head, &mut (), &mut ())) {
            proptest::prop_assert_eq!(finding.protection, Protection::HeaderValidation);
        }
    }
}
