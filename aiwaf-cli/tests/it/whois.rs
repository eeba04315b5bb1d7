//! `aiwaf whois`, against servers on this machine.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use crate::support::Place;

/// A server that answers each query with the next of `answers`, and says what it was asked.
fn serve(answers: Vec<String>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (asked, queries) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            let mut query = String::new();
            stream.read_line(&mut query).unwrap();
            // Whoever does not listen any more has failed already.
            drop(asked.send(query));
            drop(stream.get_mut().write_all(answer.as_bytes()));
        }
    });
    (address, queries)
}

#[test]
fn referrals_are_followed() {
    let place = Place::new();
    let (second, asked_second) =
        serve(vec!["% comment\r\n\r\ninetnum: 203.0.113.0 - 203.0.113.255\r\nnetname: EX\x1b[2J\r\n".into()]);
    let (first, asked_first) = serve(vec![format!("% IANA\nrefer: {second}\n")]);
    let text = place.text(&["whois", "203.0.113.9", "--server", &first]);
    assert_eq!(
        text,
        format!(
            "\n203.0.113.9, as {second} says:\ninetnum: 203.0.113.0 - 203.0.113.255\nnetname: EX\u{fffd}[2J\n"
        )
    );
    assert_eq!(asked_first.recv().unwrap(), "203.0.113.9\r\n");
    assert_eq!(asked_second.recv().unwrap(), "203.0.113.9\r\n");
}

#[test]
fn circles_end_and_all_answers_are_there_in_json() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (server, _asked) = serve(vec![format!("domain: example.com\nwhois: {own}\n")]);
    let ran = place.run(&["whois", "example.com", "--server", &server, "--json"]);
    assert!(
        ran.code == 0 && ran.err.starts_with(&format!("aiwaf: the referral to {own} leads nowhere: ")),
        "{ran:?}"
    );
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((json["answers"].as_array().unwrap().len(), &json["target"]), (1, &"example.com".into()));

    let (circle, _asked) = serve(vec![String::new()]);
    let (server, _asked) = serve(vec![format!("refer: {circle}\n")]);
    assert_eq!(
        place.json(&["whois", "example.com", "--server", &server, "--json"])["answers"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_server_that_is_not_there_is_a_clear_error() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let error = place.error(&["whois", "203.0.113.9", "--server", &address, "--timeout", "1"], 1);
    assert!(error.contains("does not answer within 1 s"), "{error}");
    drop(listener);
    let error = place.error(&["whois", "203.0.113.9", "--server", &address], 1);
    assert!(error.starts_with(&format!("can't reach the whois server {address} over TCP port")), "{error}");
    assert!(error.contains("check the connection to the internet"), "{error}");
    assert!(place.error(&["whois", "not a domain"], 2).contains("give one such as"));
}
