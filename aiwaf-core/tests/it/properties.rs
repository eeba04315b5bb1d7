//! What holds for any request.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aiwaf_core::{Action, Engine, Mode, Outcome, Protection, Request, RoutePolicy, Timestamp};
use proptest::prelude::*;

use crate::visit::{Visit, standard};

static SHARED: LazyLock<Engine> = LazyLock::new(standard);

/// A client that nobody knows.
fn fresh() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0x0a00_0001);
    std::net::Ipv4Addr::from(NEXT.fetch_add(1, Ordering::Relaxed)).into()
}

/// A request of arbitrary bytes.
#[derive(Debug, Clone)]
struct Anything {
    client: u128,
    time: i64,
    method: String,
    path: Vec<u8>,
    query: Vec<u8>,
    protocol: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    route: Option<String>,
    status: u16,
    response_time: Duration,
}

fn anything() -> impl Strategy<Value = Anything> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    let tricks = || {
        "([/.%;\\\\&=+?{}*-]|%00|%2[eEfF5]|%25|%c0%ae|%u002[ef]|uuid=|\\.php|[a-c0]){0,60}"
            .prop_map(String::into_bytes)
    };
    let text = || prop_oneof![tricks(), bytes()];
    let name = prop_oneof![
        Just("user-agent"),
        Just("accept"),
        Just("content-type"),
        Just("referer"),
        Just("host"),
        Just("connection"),
        Just("sec-fetch-mode"),
        Just("sec-fetch-site"),
        Just("accept-language"),
        Just("x-requested-with"),
    ];
    let name = prop_oneof![3 => name.prop_map(str::to_owned), 1 => any::<String>()];
    let method = prop_oneof![Just("GET".to_owned()), Just("POST".to_owned()), any::<String>()];
    let protocol = prop_oneof![Just("HTTP/1.0".to_owned()), Just("HTTP/2".to_owned()), any::<String>()];
    let time = prop_oneof![3 => 1_700_000_000_000_000..1_700_000_100_000_000i64, 1 => any::<i64>()];
    let client = prop_oneof![Just(1), Just(2), any::<u128>()];
    (
        (client, time, method, text(), text(), protocol),
        (
            prop::collection::vec((name, text()), 0..8),
            bytes(),
            any::<Option<String>>(),
            any::<u16>(),
            any::<Duration>(),
        ),
    )
        .prop_map(
            |(
                (client, time, method, path, query, protocol),
                (headers, body, route, status, response_time),
            )| {
                Anything {
                    client,
                    time,
                    method,
                    path,
                    query,
                    protocol,
                    headers,
                    body,
                    route,
                    status,
                    response_time,
                }
            },
        )
}

// What earlier cases left behind is one more thing that must not matter.
static ENFORCING: LazyLock<Engine> = LazyLock::new(|| engine(Mode::Enforce));
static MONITORING: LazyLock<Engine> = LazyLock::new(|| engine(Mode::Monitor));

fn engine(mode: Mode) -> Engine {
    let builder = Protection::ALL.into_iter().fold(Engine::builder(), |builder, one| builder.mode(one, mode));
    builder
        .route("/{a}/{uuid}", RoutePolicy::default())
        .route("/a/{*rest}", RoutePolicy::exempt_from([Protection::RateLimit]))
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_request_panics_and_verdicts_are_consistent(requests in prop::collection::vec(anything(), 1..30)) {
        for engine in [&*ENFORCING, &*MONITORING] {
            for any in &requests {
                let request = Request::new(std::net::Ipv6Addr::from(any.client).into(), Timestamp::from_unix_micros(any.time))
                    .with_method(&any.method)
                    .with_path(&any.path)
                    .with_query(&any.query)
                    .with_protocol(&any.protocol)
                    .with_headers(&any.headers)
                    .with_body(&any.body)
                    .with_route(any.route.as_deref());
                let mut transaction = engine.begin(&request);
                engine.request_head(&mut transaction, &request);
                engine.request_body(&mut transaction, &request, aiwaf_core::BodyStream::Sent, &any.body, true);
                let verdict = transaction.verdict();
                prop_assert_eq!(verdict.is_allowed(), verdict.finding.is_none());
                if let Some(finding) = &verdict.finding {
                    prop_assert_eq!(finding.action, verdict.action);
                    prop_assert!(verdict.applied.contains(finding.protection));
                }
                prop_assert!(verdict.ban.is_none() || verdict.action == Action::Block);
                engine.response(&mut transaction, &request, &Outcome::new(any.status, any.response_time));
            }
        }
    }

    #[test]
    fn the_case_of_header_names_means_nothing(
        values in prop::collection::vec((0..NAMES.len(), 0..VALUES.len()), 0..8),
        upper in any::<bool>(),
        form in any::<bool>(),
    ) {
        let visit = if form { Visit::form("/login") } else { Visit::get("/") };
        let visit = values.iter().fold(visit, |visit, (name, value)| visit.header(NAMES[*name], VALUES[*value]));
        let changed = visit.clone().with_names(|name| {
            if upper { name.to_ascii_uppercase() } else { title_case(name) }
        });
        let (as_it_was, as_it_is) = (visit.from(fresh()).inspect(&SHARED), changed.from(fresh()).inspect(&SHARED));
        prop_assert_eq!(as_it_was.finding, as_it_is.finding);
        prop_assert_eq!(as_it_was.ban.is_some(), as_it_is.ban.is_some());
    }
}

const NAMES: [&str; 14] = [
    "host",
    "user-agent",
    "accept",
    "accept-language",
    "accept-encoding",
    "connection",
    "content-type",
    "referer",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "x-requested-with",
    "upgrade",
    "via",
];

const VALUES: [&str; 12] = [
    "",
    "*/*",
    "curl/8.5",
    "text/html",
    "close",
    "websocket",
    "navigate",
    "cross-site",
    "application/json",
    "text/plain",
    "https://www.example.com/login",
    "image",
];

fn title_case(name: &str) -> String {
    let word =
        |word: &str| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect();
    name.split('-').map(word).collect::<Vec<String>>().join("-")
}
