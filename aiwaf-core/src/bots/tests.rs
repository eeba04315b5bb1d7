use super::*;

fn class_and_name(agent: &str) -> Option<(BotClass, &'static str)> {
    classify(agent.as_bytes()).map(|found| (found.class, found.name))
}

#[test]
fn well_known_agents_are_classified() {
    for (agent, class, name) in [
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            BotClass::SearchEngine,
            "Googlebot",
        ),
        ("Googlebot-Image/1.0", BotClass::SearchEngine, "Googlebot-Image"),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; \
             +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
            BotClass::SearchEngine,
            "bingbot",
        ),
        (
            "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
            BotClass::SearchEngine,
            "Yahoo! Slurp",
        ),
        (
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            BotClass::Preview,
            "facebookexternalhit",
        ),
        (
            "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
            BotClass::Preview,
            "LinkedInBot",
        ),
        ("TelegramBot (like TwitterBot)", BotClass::Preview, "TelegramBot"),
        ("Slackbot 1.0 (+https://api.slack.com/robots)", BotClass::Preview, "Slackbot"),
        ("GitHub-Hookshot/044aadd", BotClass::Preview, "GitHub-Hookshot"),
        ("kube-probe/1.29", BotClass::Monitor, "kube-probe"),
        ("GoogleHC/1.0", BotClass::Monitor, "GoogleHC"),
        ("ELB-HealthChecker/2.0", BotClass::Monitor, "ELB-HealthChecker"),
        (
            "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
            BotClass::Monitor,
            "Uptimerobot",
        ),
        ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", BotClass::Monitor, "Pingdom.com_bot"),
        ("munin/2.0.30-1 (libwww-perl/6.15)", BotClass::Monitor, "munin"),
        ("PHP Server Monitor/3.5", BotClass::Monitor, "PHP Server Monitor"),
        ("http.rb/5.1.1 (Mastodon/4.2.8; +https://social.example/)", BotClass::Preview, "Mastodon"),
        ("W3C-checklink/4.5 libwww-perl/6.15", BotClass::Monitor, "W3C-checklink"),
        (
            "Feedly/1.0 (+http://www.feedly.com/fetcher.html; like FeedFetcher-Google)",
            BotClass::Feed,
            "Feedly",
        ),
        ("Reeder/3.2 CFNetwork/672.1.12 Darwin/14.0.0", BotClass::Feed, "Reeder"),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.0; +https://openai.com/gptbot)",
            BotClass::AiCrawler,
            "GPTBot",
        ),
        (
            "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
            BotClass::Seo,
            "SemrushBot",
        ),
        ("curl/8.4.0", BotClass::Library, "curl"),
        ("Python/3.11 aiohttp/3.9.1", BotClass::Library, "Python"),
        ("Mozilla/4.0 (Windows 10) Java1.8.0_231", BotClass::Library, "Java1.8"),
        ("okhttp/4.12.0", BotClass::Library, "okhttp"),
        ("Dart/3.1 (dart:io)", BotClass::Library, "Dart"),
        ("node", BotClass::Library, "node"),
        ("Shop/12 CFNetwork/1474 Darwin/23.0.0", BotClass::Library, "CFNetwork"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/119.0.0.0 Safari/537.36",
            BotClass::Library,
            "HeadlessChrome",
        ),
        ("Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:Port Check)", BotClass::Scanner, "Nikto"),
        (
            "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
            BotClass::Scanner,
            "Nmap Scripting Engine",
        ),
        ("xxSQLMAPxx", BotClass::Scanner, "sqlmap"),
    ] {
        assert_eq!(class_and_name(agent), Some((class, name)), "{agent}");
    }
}

#[test]
fn browsers_have_no_class() {
    for agent in [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 7.0; CUBOT_X18 Build/NRD90M) AppleWebKit/537.36 Chrome/68.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 11; Cubot Note 20) AppleWebKit/537.36 Chrome/90.0 Mobile Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/538.19 (KHTML, like Gecko) JavaFX/8.0 Safari/538.19",
        "Mozilla/5.0 (Linux; Android 10; Pattern Javascript) AppleWebKit/537.36 Chrome/90.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 10; Bottleneck-Nodestar) AppleWebKit/537.36 Chrome/90 Safari/537.36",
        "Mozilla/5.0 (Linux; U; Android 4.2.2; AirPhone K6) AppleWebKit/534.30 Version/4.0 Mobile Safari/534.30",
        "UCWEB/2.0 (Java; U; MIDP-2.0; en-US; Nokia) U2/1.0.0 UCBrowser/9.5",
        "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1; U; en) Presto/2.8.119 Version/11.10",
        "Lynx/2.8.7rel.2 libwww-FM/2.14 SSL-MM/1.4.1",
        "MyApp/1",
        "Composer/2.7 (Linux; 6.1; PHP 8.2; cURL 8.5.0)",
        "",
    ] {
        assert_eq!(class_and_name(agent), None, "{agent}");
    }
}

#[test]
fn forged_mixtures_do_not_help() {
    for (agent, class, name) in [
        ("sqlmap googlebot", BotClass::Scanner, "sqlmap"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; sqlmap)", BotClass::Scanner, "sqlmap"),
        ("kube-probe/1.29 nuclei", BotClass::Scanner, "nuclei"),
        ("curl/8.4.0 (compatible; Googlebot/2.1)", BotClass::Library, "curl"),
        ("Googlebot/2.1 python-requests/2.31", BotClass::Library, "python-requests"),
    ] {
        assert_eq!(class_and_name(agent), Some((class, name)), "{agent}");
    }
    assert_eq!(class_and_name("Tool/1.0 (like Googlebot)"), None);
    assert_eq!(class_and_name("Mozilla/5.0 (compatible; NotGooglebot/1.0)"), None);
}

#[test]
fn libraries_are_told_by_their_role() {
    let role = |agent: &str| classify(agent.as_bytes()).map(|found| found.role);
    assert_eq!(role("python-requests/2.31"), Some(LibraryRole::Client));
    assert_eq!(role("Googlebot/2.1 curl/8.5"), Some(LibraryRole::Client));
    assert_eq!(role("Mozilla/5.0 curl/8.5"), Some(LibraryRole::Browser));
    assert_eq!(role("MyShop/2.0 curl/8.5"), Some(LibraryRole::Part));
}

#[test]
fn search_is_bounded() {
    let mut agent = vec![b'x'; MAX_SEARCHED];
    agent.extend(b" sqlmap");
    assert_eq!(classify(&agent), None);
    assert_eq!(classify(&b"sqlma".repeat(100_000)), None);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_classified(agent in proptest::collection::vec(proptest::num::u8::ANY, 0..1200)) {
        if let Some(found) = classify(&agent) {
            let text = &agent[found.start..found.end];
            proptest::prop_assert!(text.eq_ignore_ascii_case(found.name.as_bytes()));
        }
    }

    #[test]
    fn scanners_win_in_any_company(before in "[ -~]{0,60}", behind in "[ -~]{0,60}") {
        let found = classify(format!("{before}sqlmap{behind}").as_bytes());
        proptest::prop_assert_eq!(found.map(|found| found.class), Some(BotClass::Scanner));
    }
}
