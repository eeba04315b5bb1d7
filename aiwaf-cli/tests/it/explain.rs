//! `aiwaf explain`.

use serde_json::json;

use crate::support::Place;

const LOG: &str = concat!(
    "time=2026-11-22T18:14:14.322175Z action=block protection=header_validation client=203.0.113.9 method=GET ",
    "target=\"/\" reason=\"Suspicious user agent: Pattern: curl\" field=\"header user-agent\" matched=\"curl\"\n",
    "time=2026-11-22T18:15:00.000000Z event=startup version=0.1.0\n",
    "time=2026-11-22T18:15:14.322175Z action=block protection=ip_keyword_block client=203.0.113.9 method=GET ",
    "target=\"/.env?a=\\\"b\" reason=\"Keyword block: .env\" field=\"path\" matched=\".env\" ban=203.0.113.9/32 ",
    "ban_until=2026-11-23T18:15:14.322175Z\n",
    "time=2026-11-22T18:15:15.000000Z action=throttle protection=rate_limit client=198.51.100.1 method=GET ",
    "target=\"/\" reason=\"Rate limit exceeded: 100 requests in 60s\"\n",
);

const ACCESS: &str = concat!(
    "203.0.113.9 - - [22/Nov/2026:18:14:14 +0000] \"GET / HTTP/1.1\" 403 0 \"-\" \"curl/8\" 1ms BLOCKED \"Suspicious user agent: Pattern: curl\" header_validation block\n",
    "203.0.113.9 - - [22/Nov/2026:18:15:10 +0000] \"GET /about HTTP/1.1\" 200 10 \"-\" \"Mozilla/5.0\" 2ms - \"-\"\n",
    "203.0.113.9 - - [22/Nov/2026:18:15:14 +0000] \"GET /.env HTTP/1.1\" 403 0 \"-\" \"curl/8\" 1ms BLOCKED \"Keyword block: .env\" ip_keyword_block block\n",
    "198.51.100.1 - - [22/Nov/2026:18:15:15 +0000] \"GET / HTTP/1.1\" 200 10 \"-\" \"Mozilla/5.0\" 2ms - \"-\"\n",
);

fn place() -> Place {
    let place = Place::new();
    place.write(
        "aiwaf_data/blacklist.csv",
        "ip,reason,added_date,source,expires,offences,extended_request_info\n\
         203.0.113.9,Keyword block: .env,2026-11-22T18:15:14,ip_keyword_block,2099-01-01T00:00:00,2,\n\
         203.0.113.0/24,ended,2020-01-01T00:00:00,manual,2020-01-02T00:00:00,1,\n",
    );
    place.write("aiwaf_logs/aiwaf.log", LOG).write("aiwaf_logs/access.log", ACCESS);
    place
}

#[test]
fn a_banned_client() {
    let place = place();
    assert_eq!(
        place.text(&["explain", "203.0.113.9"]),
        "Using CSV storage: aiwaf_data\n\n\
         203.0.113.9 is banned\n\
         \x20 Entry     203.0.113.9\n\
         \x20 Reason    Keyword block: .env\n\
         \x20 By        ip_keyword_block\n\
         \x20 Since     2026-11-22T18:15:14Z\n\
         \x20 Until     2099-01-01T00:00:00Z\n\
         \x20 Offences  2\n\
         To end that: aiwaf remove blacklist 203.0.113.9\n\n\
         A ban that ended:\n\
         \x20 Entry     203.0.113.0/24\n\
         \x20 Reason    ended\n\
         \x20 By        manual\n\
         \x20 Since     2020-01-01T00:00:00Z\n\
         \x20 Until     2020-01-02T00:00:00Z\n\
         \x20 Offences  1\n\n\
         Requests in aiwaf_logs: 3, 2 denied\n\
         \x20 first 2026-11-22T18:14:14Z, last 2026-11-22T18:15:14Z\n\
         \x20 answers: 200: 1, 403: 2\n\n\
         Objections: 2, the latest 2:\n\
         \x20 TIME                  ACTION  REASON                                REQUEST         PART                     BY\n\
         \x20 2026-11-22T18:14:14Z  block   Suspicious user agent: Pattern: curl  GET /           header user-agent: curl  header_validation\n\
         \x20 2026-11-22T18:15:14Z  block   Keyword block: .env                   GET /.env?a=\"b  path: .env               ip_keyword_block\n"
    );
    let json = place.json(&["explain", "203.0.113.9", "--json"]);
    assert_eq!((&json["state"], &json["bans"][0]["offences"]), (&json!("banned"), &json!(2)));
    assert_eq!(json["history"]["statuses"], json!({"200": 1, "403": 2}));
    assert_eq!(json["history"]["latest"][1]["ban"], "203.0.113.9/32");
}

#[test]
fn other_clients() {
    let place = place();
    place.write("aiwaf_data/whitelist.csv", "ip,added_date,reason\n10.0.0.0/8,,office\n");
    let state =
        |client: &str| place.json(&["explain", client, "--json"])["state"].as_str().unwrap().to_owned();
    assert_eq!(state("10.1.2.3"), "whitelisted");
    assert_eq!(state("203.0.113.77"), "admitted", "its ban ended");
    assert_eq!(state("198.51.100.1"), "admitted", "it was throttled long ago");
    let text = place.text(&["explain", "2001:db8::1"]);
    assert!(text.contains("is on no list\nIts whole network 2001:db8::/64 counts as one client\n"), "{text}");
    assert!(text.ends_with("The logs in aiwaf_logs don't mention it\n"));
    assert!(place.text(&["explain", "::ffff:10.1.2.3"]).contains("10.1.2.3 is whitelisted"));
    place.run(&["add", "blacklist", "10.1.2.3"]);
    let text = place.text(&["explain", "10.1.2.3"]);
    assert!(text.contains("by the entry 10.0.0.0/8 (office)\n"), "{text}");
    assert!(text.contains("\nA ban without effect, for the whitelist wins:\n"), "{text}");
    assert!(place.error(&["explain", "10.0.0.1:80"], 2).ends_with("did you mean 10.0.0.1?"));
    assert_eq!(place.run(&["explain"]).code, 2);

    let now = aiwaf_storage_now();
    place.write(
        "aiwaf_logs/access.log",
        format!("timestamp,ip,method,path,status_code,response_time_ms,blocked,block_reason\n{now},192.0.2.7,GET,/,429,1,True,Rate limit exceeded\n"),
    );
    assert_eq!(state("192.0.2.7"), "throttled");
}

/// A moment ago.
fn aiwaf_storage_now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    (aiwaf_core::Timestamp::UNIX_EPOCH + since).to_string()
}

#[test]
fn a_request_protection_by_protection() {
    let place = Place::new();
    assert_eq!(
        place
            .text(&[
                "explain",
                "--request",
                "GET /.env",
                "--browser",
                "-H",
                "User-Agent: curl/8.5.0",
                "--disable",
                "geo_block,attack_signatures"
            ])
            .lines()
            .filter(|line| !line.starts_with("It would ban"))
            .collect::<Vec<_>>()
            .join("\n"),
        "\nGET /.env: block\n\
         ip_keyword_block: Keyword block: .env\n\n\
         \x20 PROTECTION         SAYS   REASON                                PART\n\
         \x20 ip_keyword_block   block  Keyword block: .env                   path: .env\n\
         \x20 rate_limit         allow\n\
         \x20 geo_block          off\n\
         \x20 header_validation  block  Suspicious user agent: Pattern: curl  header user-agent: curl\n\
         \x20 uuid_tamper        allow\n\
         \x20 honeypot           allow\n\
         \x20 ai_anomaly         allow\n\
         \x20 attack_signatures  off"
    );
    let json = place.json(&["explain", "--request", "GET /shop HTTP/1.1", "--browser", "--json"]);
    assert_eq!((&json["action"], &json["ban"]), (&json!("allow"), &json!(null)));
    assert!(json["protections"].as_array().unwrap().iter().all(|one| one["applies"] == true));

    place.write("aiwaf.toml", "[header_validation]\nmode = \"monitor\"\n");
    place.write("aiwaf_data/path_exemptions.csv", "path,reason,added_date\n/open,,\n");
    place.write("aiwaf_data/whitelist.csv", "ip,added_date\n10.0.0.1,\n");
    let text = place.text(&["explain", "--request", "GET /", "-H", "User-Agent: curl"]);
    assert!(text.contains("GET /: allow") && text.contains("header_validation  would block  "), "{text}");
    let text = place.text(&["explain", "--request", "GET /open"]);
    assert!(text.contains("header_validation  not asked"), "{text}");
    let text = place.text(&["explain", "--request", "GET /.env", "10.0.0.1"]);
    assert!(text.contains("GET /.env: allow\nNo protection is asked"), "{text}");
    for wrong in
        [&["--request", "GET"][..], &["--request", "GET / x y"], &["--request", "GET /", "-H", "no header"]]
    {
        assert_eq!(place.run(&[&["explain"], wrong].concat()).code, 2, "{wrong:?}");
    }
}
