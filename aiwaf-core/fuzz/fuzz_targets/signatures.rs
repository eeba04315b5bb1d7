//! Arbitrary values in every place of a request: the detectors judge them without a panic, say the same twice, and what
//! they say is bounded.

#![no_main]

use std::sync::LazyLock;

use aiwaf_core::{Engine, Match, Mode, Protection, Reason, Request, Settings, Severity, Timestamp};
use libfuzzer_sys::fuzz_target;

/// All rules, also those of the highest paranoia level; nobody is banned, so that one input does not hide the next.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut settings = Settings::default();
    settings.attack_signatures.mode = Mode::Enforce;
    settings.attack_signatures.paranoia_level = 4;
    settings.attack_signatures.inbound_threshold = 1;
    settings.attack_signatures.ban_after = Some(0);
    Engine::builder()
        .settings(settings)
        .only([Protection::AttackSignatures])
        .build()
        .expect("settings are valid")
});

fuzz_target!(|data: &[u8]| {
    let Some((place, value)) = data.split_first() else { return };
    let content_type: &[u8] = match place >> 4 {
        0 => b"application/x-www-form-urlencoded",
        1 => b"application/json",
        2 => b"multipart/form-data; boundary=x",
        3 => b"application/xml",
        _ => b"text/plain",
    };
    let name = *["cookie", "user-agent", "referer", "x-filename", "accept"][..]
        .get(usize::from(place >> 2))
        .unwrap_or(&"x-any");
    let content_type = [("content-type", content_type)];
    let headers = [(name, value)];
    let request =
        Request::new([203, 0, 113, 1].into(), Timestamp::from_unix_seconds(1.7e9)).with_method("POST");
    let request = match place % 4 {
        0 => request.with_uri(value),
        1 => request.with_path("/").with_query(value),
        2 => request.with_path("/").with_headers(&headers),
        _ => request.with_path("/").with_headers(&content_type).with_body(value),
    };
    let verdict = ENGINE.inspect(&request);
    assert_eq!(verdict, ENGINE.inspect(&request));
    let Some(finding) = verdict.finding else { return };
    let Reason::AttackSignatures { score, hits } = &finding.reason else { panic!("{:?}", finding.reason) };
    // What is listed is what counts, and the mentions in it count together as one notice.
    let (mentions, attacks): (Vec<_>, Vec<_>) = hits.iter().partition(|hit| hit.is_mention);
    let notice = if mentions.is_empty() { 0 } else { Severity::Notice.score() };
    assert_eq!(*score, notice + attacks.iter().map(|hit| hit.severity.score()).sum::<u32>());
    assert!(!hits.is_empty() && hits.len() <= 16);
    for hit in hits {
        // Each byte that is no text is shown as one character of three bytes.
        assert!(hit.matched.text.len() <= 3 * Match::MAX_TEXT && hit.matched.start <= hit.matched.end);
        assert!(!hit.matched.text.chars().any(char::is_control));
    }
});
