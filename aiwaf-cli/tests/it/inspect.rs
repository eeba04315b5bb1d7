//! `aiwaf inspect`.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::support::Place;

const BROWSER: &str = r#""headers":{"User-Agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0","Accept":"text/html","Accept-Language":"en","Accept-Encoding":"gzip"}"#;

#[test]
fn says_what_it_would_do_and_which_part_it_was() {
    let lines = format!(
        "{}\n\n{}\n{}\n",
        format_args!(r#"{{"id":"good","uri":"/shop?item=7",{BROWSER}}}"#),
        format_args!(r#"{{"id":"probe","uri":"/.env",{BROWSER}}}"#),
        r#"{"uri":"/","headers":{"User-Agent":"curl/8.0","Accept":"*/*"}}"#,
    );
    let ran = Place::new().run_with(&["inspect", "--stateless"], lines);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(
        ran.out,
        concat!(
            r#"{"id":"good","action":"allow","protection":null,"reason":null,"matched":null}"#,
            "\n",
            r#"{"id":"probe","action":"block","protection":"ip_keyword_block","reason":"Keyword block: .env","#,
            r#""matched":{"field":"path","start":1,"end":5,"text":".env"}}"#,
            "\n",
            r#"{"id":"standard input:4","action":"block","protection":"header_validation","#,
            r#""reason":"Suspicious user agent: Pattern: curl","#,
            r#""matched":{"field":"header user-agent","start":0,"end":4,"text":"curl"}}"#,
            "\n",
        )
    );
}

#[test]
fn stateless_lines_know_nothing_of_each_other_and_of_no_list() {
    let place = Place::new();
    place.write("aiwaf_data/blacklist.csv", "ip,reason,added_date\n203.0.113.9,test,2025-01-01T00:00:00\n");
    let good = format!(r#"{{"id":"good","uri":"/","client_ip":"203.0.113.9","time":1.0,{BROWSER}}}"#);
    let probe = good.replace(r#""uri":"/""#, r#""uri":"/.env""#);
    let lines = format!("{probe}\n{}", format!("{good}\n").repeat(300));
    let ran = place.run_with(&["inspect", "--stateless"], &lines);
    assert_eq!(ran.out.matches(r#""action":"allow""#).count(), 300, "{}", ran.out);

    let ran = place.run_with(&["inspect"], &lines);
    assert_eq!(ran.out.matches("IP blacklisted: test").count(), 301, "{}", ran.out);
}

#[test]
fn otherwise_the_lines_are_one_story_that_is_stored_nowhere() {
    let place = Place::new();
    let good = format!(r#"{{"uri":"/","client_ip":"203.0.113.9","time":1.0,{BROWSER}}}"#);
    let lines = format!("{good}\n{}\n{good}\n", good.replace(r#""uri":"/""#, r#""uri":"/.env""#));
    place.write("bans.toml", "[ip_keyword_block]\nban_after = 1\n");
    let ran = place.run_with(&["inspect", "--config", "bans.toml"], lines);
    let actions: Vec<bool> = ran.out.lines().map(|line| line.contains(r#""action":"allow""#)).collect();
    assert_eq!(actions, [true, false, false]);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn allowed_page_counts_as_shown_unless_the_line_has_a_status() {
    let place = Place::new();
    let page = |fields: &str| {
        format!(r#"{{"uri":"/login","client_ip":"203.0.113.9","time":1.0,{fields}{BROWSER}}}"#)
    };
    let form = format!(
        r#"{{"uri":"/login","method":"POST","client_ip":"203.0.113.9","time":9.0,"body":"a=b",{}}}"#,
        BROWSER.replacen('{', r#"{"Content-Type":"application/x-www-form-urlencoded","#, 1)
    );
    for (fields, expected) in [("", r#""action":"allow""#), (r#""status":404,"#, "without loading the page")]
    {
        let ran = place.run_with(&["inspect", "--only", "honeypot"], format!("{}\n{form}\n", page(fields)));
        let last = ran.out.lines().last().unwrap_or_default().to_owned();
        assert!(last.contains(expected), "{fields}: {last}");
    }
}

#[test]
fn protections_are_selected_by_flags_and_settings() {
    let place = Place::new();
    let line = r#"{"id":"1","uri":"/.env"}"#;
    let protection = |arguments: &[&str]| {
        let ran = place.run_with(arguments, line);
        let value: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        value["protection"].as_str().unwrap_or("none").to_owned()
    };
    assert_eq!(protection(&["inspect", "--stateless"]), "ip_keyword_block");
    assert_eq!(protection(&["inspect", "--stateless", "--only", "header_validation"]), "header_validation");
    let disabled = [
        "inspect",
        "--stateless",
        "--disable",
        "ip_keyword_block,HeaderValidationMiddleware,attack_signatures",
    ];
    assert_eq!(protection(&disabled), "none");

    place.write(
        "aiwaf.toml",
        "[ip_keyword_block]\nmode = \"monitor\"\n[protections]\ndisabled = [\"header_validation\", \"attack_signatures\"]\n",
    );
    let ran = place.run_with(&["inspect", "--stateless"], line);
    assert!(
        ran.out.contains(r#""action":"allow""#) && ran.out.contains(r#""monitored":[{"action":"block""#),
        "{}",
        ran.out
    );
    assert_eq!(protection(&["inspect", "--stateless", "--only", "header_validation"]), "header_validation");

    let ran = place.run_with(&["inspect", "--only", "header_validations"], line);
    assert!(ran.code == 2 && ran.err.contains("did you mean `header_validation`"), "{ran:?}");
    let ran = place.run_with(&["inspect", "--only", "logging"], line);
    assert!(ran.code == 2 && ran.err.contains("no protection is left to ask"), "{ran:?}");
}

#[test]
fn bad_lines_are_named_and_counted_and_the_rest_is_judged() {
    let place = Place::new();
    place.write(
        "requests.jsonl",
        "{\"uri\":\"/\"}\nnonsense\n{\"method\":\"GET\"}\n{\"id\":\"last\",\"uri\":\"/\"}\n",
    );
    let ran = place.run(&["inspect", "--stateless", "requests.jsonl"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out.lines().count(), 2);
    assert!(ran.out.contains(r#""id":"requests.jsonl:1""#) && ran.out.contains(r#""id":"last""#));
    let errors: Vec<&str> = ran.err.lines().collect();
    assert!(errors[0].starts_with("aiwaf: requests.jsonl:2: it is no request in JSON: "), "{}", ran.err);
    assert!(errors[1].starts_with("aiwaf: requests.jsonl:3: it has no `uri`"), "{}", ran.err);
    assert_eq!(errors[2..], ["aiwaf: 2 of 4 lines are no requests and were left out"]);

    let ran = place.run(&["inspect", "missing.jsonl"]);
    assert!(ran.code == 1 && ran.err.starts_with("aiwaf: opening missing.jsonl failed: "), "{ran:?}");
    assert!(ran.err.contains(": check the spelling"), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1);
}

#[test]
fn whoever_waits_for_each_answer_gets_it() {
    let place = Place::new();
    let mut child = place
        .command(&["inspect", "--stateless"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for number in 0..3 {
        writeln!(input, r#"{{"id":{number},"uri":"/"}}"#).unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert!(answer.starts_with(&format!(r#"{{"id":"{number}""#)), "{answer}");
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let place = Place::new();
    place.write("many.jsonl", "{\"uri\":\"/\"}\n".repeat(20_000));
    let mut child = place
        .command(&["inspect", "--stateless", "many.jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
