//! A protection of the service's own: a hidden link that only crawlers follow.
//!
//! A page holds a link that people can't see and that `robots.txt` forbids. A client that requests it anyway is a crawler
//! that reads pages without regard to either; after its second visit within an hour everything is closed to it. Run it with
//! `cargo run -p aiwaf-core --example custom_detector`.

use std::error::Error;
use std::time::Duration;

use aiwaf_core::{
    ClientMemory, Detector, Engine, Finding, Head, Mode, Outcome, Protection, Reason, Request, Response,
    Timestamp,
};

/// Blocks clients that follow a hidden link.
struct BotTrap {
    protection: Protection,
    /// Normalized path of the hidden link.
    link: &'static [u8],
    /// Visits of the link that are one too many.
    limit: u32,
    /// Time without a visit after which a client is forgiven.
    forgive_after: Duration,
}

/// Visits of the link by one client.
#[derive(Default)]
struct Visits {
    count: u32,
    last: Option<Timestamp>,
}

impl ClientMemory for Visits {}

impl Detector for BotTrap {
    type Client = Visits;
    type Request = ();

    fn head(&self, head: &Head<'_>, visits: &mut Visits, (): &mut ()) -> Option<Finding> {
        let now = head.request().time;
        if visits.last.is_some_and(|last| now.since(last) >= self.forgive_after) {
            *visits = Visits::default();
        }
        (visits.count >= self.limit)
            .then(|| Finding::block(self.protection, Reason::Custom("followed a hidden link".into())))
    }

    fn response(&self, response: &Response<'_>, visits: &mut Visits) {
        if response.path() == self.link {
            visits.count += 1;
            visits.last = Some(response.time());
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // The name first: settings that are read afterwards may use it, as in `[protections] disabled = ["bot_trap"]`.
    let protection = Protection::custom("bot_trap", "Blocks crawlers that follow a hidden link")?;
    let engine = build(protection, Mode::Enforce)?;
    let crawler = "203.0.113.9";
    for (second, path) in [(0, "/"), (1, "/hidden-link"), (2, "/about"), (3, "/hidden-link"), (4, "/about")] {
        println!("{second} s  {path:<12}  {}", visit(&engine, crawler, path, second)?);
    }
    println!("4 s  /about        {}  (another client)", visit(&engine, "203.0.113.10", "/about", 4)?);
    Ok(())
}

fn build(protection: Protection, mode: Mode) -> Result<Engine, Box<dyn Error>> {
    let trap =
        BotTrap { protection, link: b"/hidden-link", limit: 2, forgive_after: Duration::from_hours(1) };
    Ok(Engine::builder().only([protection]).detector(protection, trap).mode(protection, mode).build()?)
}

/// One request from its head to its response, and the verdict in words.
fn visit(engine: &Engine, client: &str, path: &str, second: u32) -> Result<String, Box<dyn Error>> {
    let time = Timestamp::from_unix_seconds(1.7e9 + f64::from(second));
    let request = Request::new(client.parse()?, time).with_method("GET").with_path(path);
    let mut transaction = engine.begin(&request);
    engine.request_head(&mut transaction, &request);
    engine.response(&mut transaction, &request, &Outcome::new(200, Duration::from_millis(2)));
    let verdict = transaction.verdict();
    let monitored =
        verdict.monitored.first().map(|finding| format!("allow, but monitored: {}", finding.reason));
    Ok(match &verdict.finding {
        Some(finding) => format!("block: {} ({})", finding.reason, finding.protection),
        None => monitored.unwrap_or_else(|| "allow".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawler_is_blocked_after_two_visits_and_forgiven_after_an_hour() {
        let protection = Protection::custom("bot_trap", "Blocks crawlers that follow a hidden link").unwrap();
        let engine = build(protection, Mode::Enforce).unwrap();
        let visit = |path, second| visit(&engine, "203.0.113.9", path, second).unwrap();
        assert_eq!(visit("/hidden-link", 0), "allow");
        assert_eq!(visit("/about", 1), "allow");
        assert_eq!(visit("/hidden-link", 2), "allow");
        assert_eq!(visit("/about", 3), "block: followed a hidden link (bot_trap)");
        assert_eq!(visit("/about", 3603), "allow");
    }

    #[test]
    fn monitor_mode_logs_and_lets_pass() {
        let protection = Protection::custom("bot_trap", "Blocks crawlers that follow a hidden link").unwrap();
        let engine = build(protection, Mode::Monitor).unwrap();
        for second in 0..2 {
            visit(&engine, "203.0.113.9", "/hidden-link", second).unwrap();
        }
        let shown = visit(&engine, "203.0.113.9", "/", 3).unwrap();
        assert_eq!(shown, "allow, but monitored: followed a hidden link");
        assert_eq!(engine.statistics().blocked, 0);
    }
}
