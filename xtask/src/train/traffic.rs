//! The traffic that the shipped model is trained from: a shop with a blog, three days of it.
//!
//! | who | how many | what they do |
//! |---|---|---|
//! | visitors | 1,200 sessions | 2 to 15 pages, 2 to 45 s apart, each with up to 4 images and scripts within 2 s; some search, some log in; 2 % of pages are gone, 1 % refused, 0.3 % fail |
//! | programs of customers | 12 | a call of the API every 60 to 600 s, of which 3 % are refused |
//! | search engines | 6 | 200 to 400 pages, 20 to 400 s apart; 8 % are gone |
//! | quick scanners | 40 | 15 to 60 paths from a list, 0.1 to 3 s apart; 5 % are refused, the others not found |
//! | slow scanners | 15 | 12 to 30 paths from the list, 20 to 200 s apart, with visits of the home page in between |
//! | guessers of passwords | 10 | 30 to 90 log-ins, 0.5 to 4 s apart, all refused |
//! | guessers of names | 10 | 40 to 120 invented paths, 0.2 to 2 s apart, not found |
//!
//! Answers take 4 to 60 ms, searches and the API up to 300 ms, one in 200 a second or more; errors 1 to 8 ms. The numbers
//! are chosen, not measured: what matters is that ordinary requests are many and alike, and attacks few and different.

use std::fmt::Write as _;

use super::random::Random;

/// A log, and who in it is an attacker.
pub(super) struct Traffic {
    /// Lines of the combined format, in the order of time.
    pub(super) log: String,
    pub(super) scanners: Vec<String>,
    pub(super) ordinary: Vec<String>,
}

/// A request in the making.
struct Event {
    /// In milliseconds since the beginning.
    time: u64,
    client: usize,
    method: &'static str,
    target: String,
    status: u16,
    taken: u64,
}

struct Client {
    address: String,
    agent: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Ordinary,
    Scanner,
    Guesser,
}

/// All requests, until they are sorted.
struct Model {
    random: Random,
    clients: Vec<Client>,
    events: Vec<Event>,
}

const DAYS: u64 = 3;
const DAY: u64 = 86_400_000;

/// Generates the log; the same for the same seed.
pub(super) fn generate(seed: u64) -> Traffic {
    let mut model = Model { random: Random::new(seed), clients: Vec::new(), events: Vec::new() };
    model.repeat(1200, Model::visitor);
    model.repeat(12, Model::program);
    for agent in CRAWLERS {
        model.crawler(agent);
    }
    model.repeat(40, Model::quick_scanner);
    model.repeat(15, Model::slow_scanner);
    model.repeat(10, Model::password_guesser);
    model.repeat(10, Model::name_guesser);
    model.finish()
}

impl Model {
    fn repeat(&mut self, count: usize, make: fn(&mut Self)) {
        (0..count).for_each(|_| make(self));
    }

    fn client(&mut self, kind: Kind, agent: &'static str) -> usize {
        let number = self.clients.len() as u64;
        // Blocks for documentation and for benchmarks (RFC 5737, RFC 2544): nobody's addresses.
        let address = match kind {
            Kind::Ordinary => format!("198.18.{}.{}", number / 250, number % 250 + 1),
            Kind::Scanner => format!("203.0.113.{}", number % 250 + 1),
            Kind::Guesser => format!("192.0.2.{}", number % 250 + 1),
        };
        self.clients.push(Client { address, agent, kind });
        self.clients.len() - 1
    }

    /// When a session begins. Days are busier than nights.
    fn start(&mut self) -> u64 {
        let day = self.random.between(0, DAYS - 1) * DAY;
        let (one, other) = (self.random.between(0, DAY - 1), self.random.between(0, DAY - 1));
        day + one / 2 + other / 2
    }

    fn ask(&mut self, client: usize, time: u64, method: &'static str, target: String, status: u16) {
        let taken = match status {
            400.. => self.random.between(1, 8),
            _ if self.random.between(0, 199) == 0 => self.random.between(1000, 3000),
            _ if target.starts_with("/search") || target.starts_with("/api/") => self.random.between(20, 300),
            _ => self.random.between(4, 60),
        };
        self.events.push(Event { time, client, method, target, status, taken });
    }

    /// A page that the site has.
    fn page(&mut self) -> String {
        match self.random.between(0, 11) {
            0 | 1 => "/".to_owned(),
            2 | 3 => "/products".to_owned(),
            4..=6 => format!("/products/{}", 100 + self.random.favouring_first(80)),
            7 => format!("/blog/{}", self.random.pick(&ARTICLES)),
            8 => format!("/search?q={}", self.random.pick(&WORDS)),
            9 => format!("/products?page={}", 1 + self.random.favouring_first(9)),
            10 => "/cart".to_owned(),
            _ => (*self.random.pick(&["/about", "/contact", "/shipping", "/login", "/blog"])).to_owned(),
        }
    }

    fn visitor(&mut self) {
        let agent = self.random.pick(&BROWSERS);
        let client = self.client(Kind::Ordinary, agent);
        let mut time = self.start();
        for _ in 0..self.random.between(2, 15) {
            let page = self.page();
            let (page, status) = match self.random.between(0, 999) {
                0..20 => (format!("/products/{}", self.random.between(5000, 5050)), 404),
                20..30 => ("/account/orders".to_owned(), 403),
                30..33 => (page, 500),
                33..120 => (page, 304),
                _ => (page, 200),
            };
            self.ask(client, time, "GET", page, status);
            for _ in 0..self.random.between(0, 4) {
                let file = format!("/static/{}", self.random.pick(&FILES));
                let later = time + self.random.between(50, 2000);
                self.ask(client, later, "GET", file, 200);
            }
            if self.random.percent(4) {
                let later = time + self.random.between(3000, 9000);
                let status = if self.random.percent(20) { 401 } else { 303 };
                self.ask(client, later, "POST", "/login".to_owned(), status);
            }
            if self.random.percent(6) {
                let later = time + self.random.between(500, 3000);
                self.ask(client, later, "POST", "/api/cart".to_owned(), 201);
            }
            time += self.random.between(2000, 45_000);
        }
    }

    fn program(&mut self) {
        let client = self.client(Kind::Ordinary, "warehouse-sync/2.4");
        let mut time = self.random.between(0, 600_000);
        while time < DAYS * DAY {
            let (method, target) = match self.random.between(0, 3) {
                0 => ("POST", "/api/orders".to_owned()),
                1 => ("GET", format!("/api/stock/{}", 100 + self.random.favouring_first(80))),
                _ => ("GET", "/api/orders?since=1".to_owned()),
            };
            let status = if self.random.percent(3) { 400 } else { 200 };
            self.ask(client, time, method, target, status);
            time += self.random.between(60_000, 600_000);
        }
    }

    fn crawler(&mut self, agent: &'static str) {
        let client = self.client(Kind::Ordinary, agent);
        let mut time = self.random.between(0, DAY);
        for _ in 0..self.random.between(200, 400) {
            let (page, status) = if self.random.percent(8) {
                (format!("/products/{}", self.random.between(5000, 5500)), 404)
            } else {
                (self.page(), 200)
            };
            self.ask(client, time, "GET", page, status);
            time += self.random.between(20_000, 400_000);
        }
    }

    fn probe(&mut self, client: usize, time: u64) {
        let path = self.random.pick(&PROBES).to_owned();
        let status = if self.random.percent(5) { 403 } else { 404 };
        self.ask(client, time, "GET", path, status);
    }

    fn quick_scanner(&mut self) {
        let agent = self.random.pick(&SCANNER_AGENTS);
        let client = self.client(Kind::Scanner, agent);
        let mut time = self.start();
        for _ in 0..self.random.between(15, 60) {
            self.probe(client, time);
            time += self.random.between(100, 3000);
        }
    }

    fn slow_scanner(&mut self) {
        let agent = self.random.pick(&BROWSERS);
        let client = self.client(Kind::Scanner, agent);
        let mut time = self.start();
        for _ in 0..self.random.between(12, 30) {
            if self.random.percent(15) {
                self.ask(client, time, "GET", "/".to_owned(), 200);
            } else {
                self.probe(client, time);
            }
            time += self.random.between(20_000, 200_000);
        }
    }

    fn password_guesser(&mut self) {
        let client = self.client(Kind::Guesser, "Mozilla/5.0");
        let mut time = self.start();
        for _ in 0..self.random.between(30, 90) {
            self.ask(client, time, "POST", "/login".to_owned(), 401);
            time += self.random.between(500, 4000);
        }
    }

    fn name_guesser(&mut self) {
        let client = self.client(Kind::Guesser, "Mozilla/5.0 (compatible)");
        let mut time = self.start();
        for _ in 0..self.random.between(40, 120) {
            let mut name = String::from("/");
            for _ in 0..self.random.between(8, 40) {
                let letter = self.random.between(0, 25);
                name.push(char::from(b'a' + u8::try_from(letter).unwrap_or(0)));
            }
            self.ask(client, time, "GET", name, 404);
            time += self.random.between(200, 2000);
        }
    }

    fn finish(mut self) -> Traffic {
        // The sort is stable: what happens in the same millisecond stays in the order in which it was made.
        self.events.sort_by_key(|event| event.time);
        let mut log = String::new();
        for event in &self.events {
            let Some(client) = self.clients.get(event.client) else { continue };
            let seconds = event.time / 1000;
            // Writing to a string can't fail.
            let _ = writeln!(
                log,
                "{} - - [{:02}/Mar/2026:{:02}:{:02}:{:02} +0000] \"{} {} HTTP/1.1\" {} {} \"-\" \"{}\" {}ms - \"-\"",
                client.address,
                1 + seconds / 86_400,
                seconds / 3600 % 24,
                seconds / 60 % 60,
                seconds % 60,
                event.method,
                event.target,
                event.status,
                200 + event.target.len() * 37 % 9000,
                client.agent,
                event.taken,
            );
        }
        let of = |kind: Kind| {
            let these = self.clients.iter().filter(|client| client.kind == kind);
            these.map(|client| client.address.clone()).collect()
        };
        Traffic { log, scanners: of(Kind::Scanner), ordinary: of(Kind::Ordinary) }
    }
}

const ARTICLES: [&str; 5] =
    ["summer-sale", "how-to-choose-a-tent", "care-of-leather", "our-new-workshop", "ten-years"];
const WORDS: [&str; 8] = ["tent", "boots", "rope", "stove", "sleeping+bag", "knife", "lamp", "map"];
const FILES: [&str; 6] = ["app.js", "style.css", "logo.svg", "hero.webp", "tent.webp", "font.woff2"];

const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
];

const CRAWLERS: [&str; 6] = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) (Applebot/0.1; +http://www.apple.com/go/applebot)",
];

const SCANNER_AGENTS: [&str; 4] =
    ["Mozilla/5.0", "Mozilla/5.0 zgrab/0.x", "python-requests/2.32.3", "Go-http-client/1.1"];

/// What scanners try on every site.
const PROBES: [&str; 48] = [
    "/.env",
    "/.env.local",
    "/.env.production",
    "/api/.env",
    "/.git/config",
    "/.git/HEAD",
    "/.svn/entries",
    "/.aws/credentials",
    "/.ssh/id_rsa",
    "/.htpasswd",
    "/.DS_Store",
    "/.vscode/sftp.json",
    "/wp-login.php",
    "/wp-admin/setup-config.php",
    "/wp-admin/install.php",
    "/wp-content/plugins/wp-file-manager/readme.txt",
    "/wp-includes/wlwmanifest.xml",
    "/xmlrpc.php?rsd",
    "/blog/wp-login.php",
    "/phpmyadmin/index.php",
    "/pma/index.php",
    "/phpMyAdmin-5.1.0/index.php?lang=en",
    "/adminer.php",
    "/mysql/admin/index.php",
    "/phpinfo.php",
    "/info.php",
    "/test.php",
    "/config.php",
    "/config.inc.php",
    "/shell.php?cmd=id",
    "/alfa.php",
    "/wso.php",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/index.php?s=/Index/think/app/invokefunction",
    "/cgi-bin/luci/;stok=/locale",
    "/cgi-bin/.%2e/.%2e/.%2e/bin/sh",
    "/backup.sql",
    "/dump.sql.gz",
    "/backup.zip",
    "/www.zip",
    "/server-status",
    "/actuator/env",
    "/actuator/heapdump",
    "/manager/html",
    "/solr/admin/info/system",
    "/boaform/admin/formLogin",
    "/owa/auth/logon.aspx",
    "/_profiler/phpinfo",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_and_the_kinds_are_there() {
        let traffic = generate(1);
        assert_eq!(traffic.log, generate(1).log);
        assert_ne!(traffic.log, generate(2).log);
        assert_eq!((traffic.scanners.len(), traffic.ordinary.len()), (55, 1218));
        let lines = traffic.log.lines().count();
        assert!((30_000..60_000).contains(&lines), "{lines}");
        let attacks = traffic.log.lines().filter(|line| !line.starts_with("198.18.")).count();
        assert!((3..15).contains(&(attacks * 100 / lines)), "{attacks} of {lines}");
    }

    #[test]
    fn addresses_are_those_of_one_client() {
        let traffic = generate(1);
        let mut addresses = [traffic.scanners, traffic.ordinary].concat();
        let count = addresses.len();
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), count);
    }
}
