//! Logs in, what was learned out.

use std::fmt::Write as _;
use std::io::Cursor;
use std::sync::Arc;

use aiwaf_core::{BlacklistEntry, Lists, Timestamp, WhitelistEntry};
use aiwaf_storage::{Manager, MemoryStore};
use aiwaf_trainer::{Sources, Training, TrainingError, TrainingOptions, TrainingReport, report};

/// A log in the making: a second passes with each line.
#[derive(Default)]
struct Log {
    text: String,
    second: u32,
}

impl Log {
    fn line(&mut self, client: &str, method: &str, target: &str, status: u16, agent: &str) {
        let (hour, minute, second) = (self.second / 3600 % 24, self.second / 60 % 60, self.second % 60);
        let day = 1 + self.second / 86_400;
        writeln!(
            self.text,
            "{client} - - [{day:02}/Sep/2025:{hour:02}:{minute:02}:{second:02} +0000] \"{method} {target} HTTP/1.1\" \
             {status} 99 \"-\" \"{agent}\" {}ms",
            5 + self.second % 40
        )
        .unwrap();
        self.second += 1;
    }

    fn get(&mut self, client: &str, target: &str, status: u16) {
        self.line(client, "GET", target, status, "Mozilla/5.0");
    }

    /// People who look around.
    fn visitors(&mut self, count: u32) -> &mut Self {
        for number in 0..count {
            let client = format!("198.51.{}.{}", number / 200 % 200, number % 200);
            for target in ["/", "/products", "/products/7?a=b", "/style.css", "/about-us"] {
                self.get(&client, target, 200);
            }
            if number % 10 == 0 {
                self.get(&client, "/old-page", 404);
            }
        }
        self
    }

    fn scanners(&mut self, count: u32) -> &mut Self {
        for number in 0..count {
            let client = format!("203.0.113.{number}");
            for target in [
                "/.env",
                "/wp-login.php",
                "/.git/config",
                "/phpmyadmin/",
                "/backup.sql",
                "/cgi-bin/evilshell",
                "/products/evilshell",
            ] {
                self.get(&client, target, 404);
            }
        }
        self
    }
}

fn options() -> TrainingOptions {
    let mut options = TrainingOptions::default();
    options.settings.ai_anomaly.min_ai_logs = 1000;
    options
}

/// Trains from a file, so that the number of lines is known.
fn train(log: &Log, options: TrainingOptions) -> TrainingReport {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    std::fs::write(&path, &log.text).unwrap();
    Training::new(options).run(Sources::find([&path]).unwrap(), &mut ()).unwrap()
}

fn banned(report: &TrainingReport) -> Vec<&str> {
    report.bans.iter().map(|ban| ban.client.as_str()).collect()
}

fn words(report: &TrainingReport) -> Vec<&str> {
    report.keywords.iter().map(|learned| learned.keyword.as_str()).collect()
}

#[test]
fn scanners_are_banned_and_teach_words_and_visitors_are_left_alone() {
    let mut log = Log::default();
    log.visitors(300).scanners(4).visitors(100);
    let report = train(&log, options());
    assert_eq!(banned(&report), ["203.0.113.0", "203.0.113.1", "203.0.113.2", "203.0.113.3"]);
    let ban = &report.bans[0];
    assert!(ban.reason.starts_with("Scanning: asked in vain for 6"), "{}", ban.reason);
    assert_eq!((ban.evidence.requests, ban.evidence.scanning_paths), (7, 6));
    assert!(ban.evidence.examples.contains(&"404 /.env".to_owned()), "{:?}", ban.evidence);
    assert_eq!(words(&report), ["evilshell", "cgi-bin", "wp-login.php"]);
    assert_eq!((report.keywords[0].count, report.keywords[0].clients), (8, 4));
    assert!(report.model.trained);
    assert_eq!(report.model.histogram.iter().sum::<u64>(), report.model.rows);
    assert_eq!(report.unparsed, 0);
}

#[test]
fn original_defect_13_whitelisted_clients_are_never_banned_and_taken_off_the_blacklist() {
    let mut log = Log::default();
    log.visitors(50).scanners(3);
    let network = |text: &str| aiwaf_core::parse_network(text).unwrap();
    let lists = Lists {
        whitelist: vec![WhitelistEntry {
            network: network("203.0.113.0/31"),
            reason: String::new(),
            added: None,
        }],
        blacklist: vec![BlacklistEntry::manual(network("203.0.113.1"), "by mistake", Timestamp::UNIX_EPOCH)],
        ..Lists::default()
    };
    let report = train(&log, TrainingOptions { lists: lists.clone(), ..options() });
    assert_eq!(banned(&report), ["203.0.113.2"]);
    assert_eq!(report.unbanned, ["203.0.113.1"]);

    let store = Arc::new(MemoryStore::default());
    let manager = Manager::new(store);
    let now = Timestamp::from_unix_seconds(1.7e9);
    manager.add_to_whitelist("203.0.113.0/31", "", now).unwrap();
    manager.add_to_blacklist("203.0.113.1", "by mistake", now).unwrap();
    let applied = report.apply(&manager, now).unwrap();
    assert_eq!((applied.banned, applied.unbanned), (1, 1));
    let bans = manager.list_blacklist(now).unwrap();
    assert_eq!(bans.len(), 1);
    assert_eq!((bans[0].network, bans[0].source), (network("203.0.113.2"), aiwaf_core::BanSource::Trainer));
    assert_eq!(bans[0].expires, Some(now + std::time::Duration::from_hours(1)));
    // Once more changes nothing.
    assert_eq!(report.apply(&manager, now).unwrap().banned, 0);
}

#[test]
fn original_defect_06_a_log_cannot_be_filled_with_words_of_the_site() {
    let mut log = Log::default();
    log.visitors(100);
    for number in 0..20 {
        let client = format!("203.0.113.{number}");
        for target in
            ["/cgi-bin/products", "/cgi-bin/about-us/catalogue", "/cgi-bin/evilshell", "/our-new-tents/x.php"]
        {
            log.get(&client, target, 404);
        }
    }
    // The site answers this only afterwards, and only to one client.
    log.get("198.51.100.9", "/catalogue/7", 200);
    assert_eq!(words(&train(&log, options())), ["cgi-bin", "evilshell"]);
}

/// A line break in a path forged lines of the log; seven of them made training ban somebody else.
#[test]
fn original_defect_22_nobody_is_banned_for_what_another_client_writes_into_the_log() {
    let mut log = Log::default();
    log.visitors(100);
    for target in
        ["/.env", "/wp-login.php", "/.git/config", "/phpmyadmin/", "/backup.sql", "/.svn/x", "/.aws/x"]
    {
        let forged = format!("198.51.100.1 - - [14/Sep/2025:15:02:41 +0000] \"GET {target} HTTP/1.1\" 404 0");
        for line_break in ["%0a", "\n", "\r\n", "\" 404 0\n"] {
            let mut record = aiwaf_core::AccessRecord::new(
                Timestamp::from_unix_seconds(1.7577e9),
                [203, 0, 113, 9].into(),
            );
            record.method = b"GET".into();
            record.target = format!("/x{line_break}{forged}").into_bytes().into();
            record.protocol = b"HTTP/1.1".into();
            record.status = 404;
            let mut line = Vec::new();
            aiwaf_core::LogFormat::Combined.write(&record, &mut line);
            log.text += std::str::from_utf8(&line).unwrap();
        }
    }
    let report = train(&log, options());
    assert_eq!((report.unparsed, banned(&report).contains(&"198.51.100.1")), (0, false));
}

#[test]
fn one_client_alone_teaches_nothing_and_exempt_words_are_exempt() {
    let mut log = Log::default();
    log.visitors(100);
    for _ in 0..100 {
        log.get("203.0.113.1", "/cgi-bin/oneword", 404);
    }
    for number in 0..5 {
        log.get(&format!("203.0.113.{number}"), "/cgi-bin/exemptword", 404);
    }
    let mut options = options();
    options.settings.ip_keyword_block.exempt_keywords = vec!["exemptword".to_owned()];
    assert_eq!(words(&train(&log, options)), ["cgi-bin"]);
}

#[test]
fn search_engines_are_spared_for_volume_and_not_for_scanning() {
    let mut log = Log::default();
    log.visitors(60);
    let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    for number in 0..100 {
        log.line("192.0.2.1", "GET", &format!("/gone-{}-page", letters(number)), 404, google);
        log.line("192.0.2.2", "GET", &format!("/gone-{}-page", letters(number)), 404, "Mozilla/5.0");
        log.line("192.0.2.3", "GET", &format!("/gone-{}-page", letters(number)), 404, google);
    }
    for target in ["/.env", "/.git/config", "/wp-login.php", "/phpmyadmin/", "/backup.sql"] {
        log.line("192.0.2.3", "GET", target, 404, google);
    }
    let report = train(&log, options());
    let mut clients = banned(&report);
    clients.sort_unstable();
    assert_eq!(clients, ["192.0.2.2", "192.0.2.3"]);
    assert_eq!(report.spared[0].client, "192.0.2.1");
    assert!(report.spared[0].because.contains("search engine"), "{:?}", report.spared);
}

fn letters(number: u32) -> String {
    [number / 26, number % 26].map(|digit| char::from(b'a' + u8::try_from(digit).unwrap())).iter().collect()
}

#[test]
fn guessing_passwords_is_banned_although_it_is_answered() {
    let mut log = Log::default();
    log.visitors(30);
    for _ in 0..40 {
        log.line("203.0.113.1", "POST", "/xmlrpc.php", 200, "Mozilla/5.0");
    }
    for _ in 0..30 {
        log.line("203.0.113.2", "POST", "/phpmyadmin/", 200, "Mozilla/5.0");
    }
    // An author who logs in, with a slip.
    log.line("198.51.100.1", "POST", "/wp-login.php", 200, "Mozilla/5.0");
    log.line("198.51.100.1", "POST", "/wp-login.php", 302, "Mozilla/5.0");
    for _ in 0..40 {
        log.line("198.51.100.1", "POST", "/wp-admin/admin-ajax.php", 200, "Mozilla/5.0");
    }
    let report = train(&log, options());
    assert_eq!(banned(&report), ["203.0.113.1", "203.0.113.2"]);
    assert!(report.bans[0].reason.contains("40 failed log-ins"), "{}", report.bans[0].reason);
}

#[test]
fn proxies_and_names_are_spared() {
    let mut log = Log::default();
    log.visitors(30);
    for client in ["127.0.0.1", "10.0.0.1", "host.example"] {
        for target in ["/.env", "/.git/config", "/wp-login.php", "/phpmyadmin/", "/backup.sql"] {
            log.get(client, target, 404);
        }
    }
    let report = train(&log, options());
    assert_eq!(banned(&report), Vec::<&str>::new());
    assert_eq!(report.spared.len(), 3);
    let report = train(&log, TrainingOptions { ban_private: true, ..options() });
    assert_eq!(banned(&report), ["10.0.0.1"]);
}

#[test]
fn too_little_teaches_nothing() {
    let mut log = Log::default();
    log.scanners(3);
    let report = train(&log, options());
    assert!(!report.enough);
    assert!(report.bans.is_empty() && report.keywords.is_empty() && !report.model.trained);
    assert!(report::text(&report).contains("Too little to learn from: 21 requests, and it takes 50"));

    log.visitors(30);
    let report = train(&log, options());
    assert_eq!(report.bans.len(), 3);
    assert!(report.model.reason.as_ref().unwrap().contains("AIWAF_MIN_AI_LOGS"), "{:?}", report.model.reason);
    let mut forced = options();
    forced.settings.ai_anomaly.force_ai = true;
    assert!(train(&log, forced.clone()).model.trained);
    forced.disable_ai = true;
    assert_eq!(train(&log, forced).model.reason.as_deref(), Some("switched off"));
}

#[test]
fn the_same_log_makes_the_same_model_bit_for_bit() {
    let mut log = Log::default();
    log.visitors(300).scanners(20).visitors(20);
    let bytes = |seed| {
        let report = train(&log, TrainingOptions { seed, max_rows: 500, ..options() });
        report.trained_model().unwrap().trained().to_bytes().unwrap()
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn what_is_held_back_is_judged_by_what_was_learned_before() {
    let mut log = Log::default();
    log.visitors(400).scanners(5).visitors(150);
    // New ones come after that; one of those that were banned comes back.
    for number in 200..210 {
        let client = format!("203.0.113.{number}");
        for target in ["/evilshell", "/.env", "/wp-login.php", "/.git/config"] {
            log.get(&client, target, 404);
        }
    }
    log.get("203.0.113.1", "/", 200);
    log.visitors(10);
    let report = train(&log, options());
    let held = report.held_out.as_ref().unwrap();
    assert_eq!((held.scanners, held.scanners_caught), (10, 10));
    assert_eq!((held.new_scanners, held.new_scanners_caught), (10, 10));
    // A ban hits whoever has the address now: that is what bans cost, and it is counted.
    assert!(held.ordinary > 50 && held.ordinary_hit == 1, "{held:?}");
    assert_eq!(held.hit[0].client, "203.0.113.1");
    assert_eq!(held.caught_by.get("learned_keyword"), Some(&10));
    assert_eq!(held.caught_by.get("ban"), Some(&1));
    assert!(held.model_auc.unwrap() > 0.9, "{held:?}");
    assert!(train(&log, TrainingOptions { hold_out: 0.0, ..options() }).held_out.is_none());
}

#[test]
fn reports_are_whole_and_nothing_of_the_log_is_markup() {
    let mut log = Log::default();
    log.visitors(300);
    for number in 0..5 {
        let client = format!("203.0.113.{number}");
        for target in
            ["/.env/<script>alert(1)</script>", "/.git/config", "/wp-login.php", "/pma/", "/x.sql?\u{1b}[31m"]
        {
            log.get(&client, target, 404);
        }
    }
    log.text += "<b>nonsense</b>\u{1b}[31m\n";
    let report = train(&log, options());
    let page = report::html(&report);
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains('\u{1b}'));
    assert!(page.contains("&lt;script&gt;") && page.matches("<svg").count() == 2);
    assert!(!page.contains("http://") && !page.contains("https://"));
    let text = report::text(&report);
    assert!(text.is_ascii() && !text.contains('\u{1b}'), "{text}");

    let json = serde_json::to_value(&report).unwrap();
    for key in ["lines", "parsed", "unparsed", "formats", "bans", "keywords", "model"] {
        assert!(!json[key].is_null(), "{key}");
    }
    for key in ["client", "reason", "evidence"] {
        assert!(!json["bans"][0][key].is_null(), "{key}");
    }
    assert_eq!((&json["unparsed"], &json["model"]["trained"]), (&1.into(), &true.into()));
}

#[test]
fn a_model_is_written_and_read() {
    let mut log = Log::default();
    log.visitors(300);
    let report = train(&log, options());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.aiwaf");
    assert!(report.save_model(&path).unwrap());
    let model = aiwaf_ml::RequestModel::load(&path).unwrap();
    assert_eq!(Some(&model), report.trained_model());
    assert_eq!(model.trained().training().log_sources, ["access.log"]);
    assert_eq!(model.trained().training().trained_at.to_string(), *report.last.as_ref().unwrap());
    let nothing = train(&log, TrainingOptions { disable_ai: true, ..options() });
    assert!(!nothing.save_model(&path).unwrap());
    assert!(aiwaf_ml::RequestModel::load(&path).is_ok(), "the model that is there stays");
}

/// It looked for the model relative to the working directory, and whoever could write it ran code in the application.
#[test]
fn original_defect_29_a_model_is_data_and_a_hostile_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.aiwaf");
    // How a pickle begins that calls os.system.
    std::fs::write(&path, b"cos\nsystem\n(S'touch pwned'\ntR.").unwrap();
    let error = aiwaf_ml::RequestModel::load(&path).unwrap_err().to_string();
    assert!(error.contains("no AIWAF model"), "{error}");
    let model_path = aiwaf_core::Settings::default().model_path().unwrap();
    assert_eq!(model_path, std::path::Path::new("aiwaf_data/model.aiwaf"), "beside the lists");
}

#[test]
fn nonsense_is_an_error_that_shows_it() {
    let mut sources = Sources::new();
    sources.add_reader("-", Cursor::new("this is no log\n"));
    let error = Training::new(options()).run(sources, &mut ()).unwrap_err();
    assert!(error.to_string().contains("this is no log"), "{error}");
    let wrong = TrainingOptions { hold_out: 0.9, ..options() };
    let error = Training::new(wrong).run(Sources::new(), &mut ()).unwrap_err();
    assert!(matches!(error, TrainingError::Option { name: "hold_out", .. }), "{error}");
}
