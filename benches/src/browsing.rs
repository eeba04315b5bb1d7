//! Requests of people who browse: long cookies, consent in JSON, analytics, forms and API calls. All values are made up.

use std::fmt::Write as _;

use aiwaf_core::RequestLine;
use serde_json::{Map, Value, json};

/// Kinds of requests, each with its share in percent. Six percent have bodies, as on real sites.
const KINDS: [(Kind, u32); 7] = [
    (Kind::Asset, 42),
    (Kind::Page, 33),
    (Kind::ApiRead, 11),
    (Kind::Analytics, 8),
    (Kind::ApiWrite, 2),
    (Kind::Telemetry, 2),
    (Kind::Form, 2),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Page,
    Asset,
    ApiRead,
    Analytics,
    ApiWrite,
    Telemetry,
    Form,
}

const WORDS: [&str; 32] = [
    "garden",
    "winter",
    "jacket",
    "recipe",
    "travel",
    "family",
    "review",
    "summer",
    "kitchen",
    "guitar",
    "market",
    "update",
    "selection",
    "order",
    "from",
    "the",
    "reunion",
    "prescription",
    "and",
    "or",
    "with",
    "dropped",
    "like",
    "lighting",
    "school",
    "camera",
    "budget",
    "coffee",
    "bridge",
    "museum",
    "weather",
    "on",
];

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
];

const SITES: [&str; 4] = ["shop.example.com", "news.example.org", "app.example.net", "www.example.co.uk"];

/// Returns `count` requests, 1.6 KB each on average; the same at every call.
pub fn browsing(count: u32) -> Vec<RequestLine> {
    (0..count).filter_map(|number| RequestLine::parse(line(number).as_bytes()).ok()).collect()
}

/// A request as a line of JSON.
fn line(number: u32) -> String {
    let mut random = Random(u64::from(number) ^ 0xB0_57A1);
    let kind = random.kind();
    let site = random.pick(&SITES);
    let agent = random.pick(&AGENTS);
    let page = format!("https://{site}{}", page_target(&mut random));
    let (method, uri, body) = match kind {
        Kind::Page => ("GET", page_target(&mut random), None),
        Kind::Asset => ("GET", asset_target(&mut random), None),
        Kind::ApiRead => ("GET", api_target(&mut random), None),
        Kind::Analytics => ("GET", analytics_target(&mut random, &page), None),
        Kind::ApiWrite => (
            "POST",
            "/api/v2/drafts".to_owned(),
            Some(("application/json", document(&mut random).to_string())),
        ),
        Kind::Telemetry => (
            "POST",
            "/collect".to_owned(),
            Some(("application/json", events(&mut random, &page).to_string())),
        ),
        Kind::Form => {
            let form = form(&mut random);
            ("POST", "/account/contact".to_owned(), Some(("application/x-www-form-urlencoded", form)))
        }
    };
    let mut headers = Map::new();
    let mut header = |name: &str, value: &str| headers.insert(name.to_owned(), json!(value));
    header("Host", site);
    header("User-Agent", agent);
    let (accept, destination) = match kind {
        Kind::Page | Kind::Form => (
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "document",
        ),
        Kind::Asset => ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "image"),
        _ => ("application/json, text/plain, */*", "empty"),
    };
    header("Accept", accept);
    header("Accept-Language", "en-GB,en;q=0.9,fr;q=0.7");
    header("Accept-Encoding", "gzip, deflate, br, zstd");
    header("Connection", "keep-alive");
    header("Referer", &page);
    header("Sec-Fetch-Dest", destination);
    header("Sec-Fetch-Mode", if destination == "document" { "navigate" } else { "cors" });
    header("Sec-Fetch-Site", "same-origin");
    if agent.contains("Chrome") && random.below(2) == 0 {
        header("sec-ch-ua", "\"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\", \"Google Chrome\";v=\"140\"");
        header("sec-ch-ua-mobile", if agent.contains("Mobile") { "?1" } else { "?0" });
        header("sec-ch-ua-platform", "\"Windows\"");
    }
    // Half of all requests come without cookies: assets of other hosts, and first visits.
    if random.below(100) < 52 {
        header("Cookie", &cookies(&mut random, &page));
    }
    if let Some((content_type, _)) = &body {
        header("Content-Type", content_type);
        header("Origin", &format!("https://{site}"));
    }
    if matches!(kind, Kind::ApiRead | Kind::ApiWrite) {
        header("X-Requested-With", "XMLHttpRequest");
        header("X-CSRF-Token", &random.token(44));
    }
    json!({
        "method": method, "uri": uri, "headers": headers, "body": body.map(|(_, body)| body).unwrap_or_default(),
    })
    .to_string()
}

fn page_target(random: &mut Random) -> String {
    let path = format!("/{}/{}-{}", random.word(), random.slug(5), random.below(100_000));
    if random.below(4) > 0 {
        return path;
    }
    format!(
        "{path}?q={}&page={}&sort=price_asc&utm_source=newsletter&utm_medium=email&utm_campaign={}",
        random.slug(3).replace('-', "+"),
        random.below(40),
        random.slug(3)
    )
}

fn asset_target(random: &mut Random) -> String {
    let ending = random.pick(&["js", "css", "webp", "woff2", "svg"]);
    format!(
        "/static/{}/{}.{}.{ending}?v={}",
        random.word(),
        random.slug(2),
        random.hex(12),
        random.below(10_000)
    )
}

fn api_target(random: &mut Random) -> String {
    let filter =
        json!({ "tags": [random.word(), random.word()], "price": { "lt": random.below(900) }, "open": true });
    format!(
        "/api/v2/items?filter={}&fields=id,name,price&limit=48&offset={}&cursor={}",
        encoded(&filter.to_string()),
        random.below(50) * 48,
        random.token(40)
    )
}

fn analytics_target(random: &mut Random, page: &str) -> String {
    format!(
        "/g/collect?v=2&tid=X-{}&gtm={}&_p={}&cid={}.{}&ul=en-gb&sr=1920x1080&dl={}&dr={}&dt={}&en=page_view&_et={}",
        random.token(10),
        random.token(14),
        random.below(2_000_000_000),
        random.below(2_000_000_000),
        1_690_000_000 + random.below(9_000_000),
        encoded(page),
        encoded("https://search.example/"),
        encoded(&format!("{} | {}'s guide", random.sentence(6), random.word())),
        random.below(9_000)
    )
}

/// Cookies of a visitor: identifiers, consent, preferences, and what was viewed lately.
fn cookies(random: &mut Random, page: &str) -> String {
    let mut cookies = vec![
        format!("session={}", random.hex(32)),
        format!("_an=AN1.2.{}.{}", random.below(2_000_000_000), 1_690_000_000 + random.below(9_000_000)),
        format!("locale=en_GB; tz={}", encoded("Europe/London")),
    ];
    if random.below(2) == 0 {
        let consent = json!({
            "version": "2.1", "stamp": random.hex(24), "necessary": true, "preferences": random.below(2) == 0,
            "statistics": true, "marketing": false, "method": "explicit", "utc": 1_690_000_000_000_u64, "region": "gb",
        });
        cookies.push(format!("consent={}", encoded(&consent.to_string())));
    }
    if random.below(3) == 0 {
        cookies.push(format!(
            "choices=isGpcEnabled=0&datestamp={}&version=202409.1.0&hosts=&groups=C01:1,C02:{},C03:0&landing={}",
            encoded("Tue Mar 05 2024 10:12:33 GMT+0000 (Greenwich Mean Time)"),
            random.below(2),
            encoded(page)
        ));
    }
    if random.below(3) == 0 {
        let viewed: Vec<Value> = (0..4)
            .map(|_| json!({ "id": random.below(90_000), "name": random.sentence(3), "at": random.below(90_000) }))
            .collect();
        cookies.push(format!("viewed={}", encoded(&json!(viewed).to_string())));
    }
    if random.below(3) == 0 {
        cookies.push(format!("token=eyJhbGciOiJIUzI1NiJ9.{}.{}", random.token(180), random.token(43)));
    }
    // Few have many cookies.
    let more = random.pick(&[4, 4, 8, 8, 16, 16, 60, 120]);
    for _ in 0..random.below(more) {
        cookies.push(format!("_{}={}.{}", random.word(), random.token(22), random.below(2_000_000_000)));
    }
    cookies.join("; ")
}

/// A text that a person writes in an editor.
fn document(random: &mut Random) -> Value {
    let paragraphs: Vec<Value> = (0..random.body_parts())
        .map(|_| json!({ "type": "paragraph", "text": random.sentence(18), "bold": random.below(9) == 0 }))
        .collect();
    json!({
        "id": random.hex(24), "title": random.sentence(5), "blocks": paragraphs,
        "settings": { "visibility": "private", "tags": [random.word(), random.word()], "notify": null },
    })
}

/// Events that a page reports.
fn events(random: &mut Random, page: &str) -> Value {
    let events: Vec<Value> = (0..random.body_parts())
        .map(|_| {
            json!({
                "event": random.pick(&["click", "scroll", "view", "error"]), "target": format!("#{} > div.{}", random.word(), random.word()),
                "x": random.below(1900), "y": random.below(4000), "at": random.below(900_000), "url": page,
            })
        })
        .collect();
    json!({ "client": random.hex(32), "sdk": "4.2.1", "events": events })
}

fn form(random: &mut Random) -> String {
    let text = format!(
        "Hello,\r\nI'd like to ask about my order #{}: {}. It's {} & {}, isn't it?\r\nThanks -- {}",
        random.below(90_000),
        random.sentence(60),
        random.word(),
        random.word(),
        random.word()
    );
    format!(
        "csrf={}&name=Jane+O%27Neill&email={}%40example.com&topic=returns&message={}",
        random.token(44),
        random.word(),
        encoded(&text).replace("%20", "+")
    )
}

/// Percent-encodes what `encodeURIComponent` encodes.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// Deterministic random numbers, by SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number less than `bound`, which is at least 1.
    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound.max(1))).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = usize::try_from(self.next()).unwrap_or(usize::MAX) % choices.len();
        choices[index]
    }

    fn kind(&mut self) -> Kind {
        let mut percent = self.below(100);
        for (kind, share) in KINDS {
            match percent.checked_sub(share) {
                Some(rest) => percent = rest,
                None => return kind,
            }
        }
        Kind::Page
    }

    /// Number of parts of a body, 130 bytes each: mostly few, rarely hundreds.
    fn body_parts(&mut self) -> u32 {
        let bound = self.pick(&[4, 4, 4, 8, 8, 16, 16, 32, 64, 300]);
        1 + self.below(bound)
    }

    fn word(&mut self) -> &'static str {
        self.pick(&WORDS)
    }

    fn slug(&mut self, words: u32) -> String {
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join("-")
    }

    fn sentence(&mut self, words: u32) -> String {
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| self.pick(b"0123456789abcdef")).map(char::from).collect()
    }

    fn token(&mut self, length: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..length).map(|_| self.pick(ALPHABET)).map(char::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::START;

    #[test]
    fn requests_are_as_large_as_real_ones() {
        let sizes: Vec<usize> = (0..1000).map(|number| line(number).len()).collect();
        // Names and punctuation of JSON are about 150 bytes of a line.
        let mean = sizes.iter().sum::<usize>() / sizes.len() - 150;
        assert!((1_400..1_800).contains(&mean), "{mean}");
        assert!(sizes.iter().all(|size| *size < 65_536));
    }

    #[test]
    fn requests_are_deterministic_and_complete() {
        let requests = browsing(200);
        assert_eq!(requests, browsing(200));
        assert_eq!(requests.len(), 200);
        let posts = requests.iter().filter(|line| {
            let request = line.request([203, 0, 113, 1].into(), START);
            request.method == "POST" && !request.body.is_empty()
        });
        assert!((5..25).contains(&posts.count()));
    }
}
