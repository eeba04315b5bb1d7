//! What AIWAF costs a whole service: axum on a loopback socket, alone and behind layers, in one run.
//!
//! Each contender is the same "hello" on a thread of its own with one tokio worker. They are loaded in turns, round by
//! round, so that what else happens on the machine hits all of them; a round's ratio is to the bare service in the same
//! round. Load generator and services share the process, so CPU time is compared by difference.
//!
//! The load is that of browsers behind a proxy on 127.0.0.1: many clients, told apart by `X-Forwarded-For`, so that all
//! protections run at their defaults and nobody reaches a limit. Every answer must be 200. AIWAF's figures include
//! reading that header, and writing the logs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aiwaf_benches::{Load, cpu_time, is_quick, median, write_report};
use aiwaf_middleware::{Aiwaf, Protection};
use anyhow::Context;
use axum::Router;
use axum::routing::get;
use tempfile::TempDir;
use tower::util::MapRequestLayer;
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::SmartIpKeyExtractor;

const CONNECTIONS: usize = 32;

/// So many that each comes less than 100 times a minute, the default limit, as long as AIWAF answers less than 27,000
/// requests a second on average over all turns.
const CLIENTS: u32 = 16_384;

struct Contender {
    name: &'static str,
    load: Load,
    /// Waits until all that the requests caused has been done.
    settle: Box<dyn Fn() -> anyhow::Result<()>>,
    rounds: Vec<Round>,
}

struct Round {
    requests_per_second: f64,
    cpu_micros_per_request: f64,
}

fn main() -> anyhow::Result<()> {
    let (rounds, requests) = if is_quick() { (3, CLIENTS) } else { (15, 3 * CLIENTS) };
    let directory = tempfile::tempdir().context("making a temporary directory")?;
    let waf = aiwaf(&directory)?;
    let settle = {
        let waf = waf.clone();
        move || waf.flush(Duration::from_secs(10)).context("writing logs and lists")
    };
    let mut contenders = [
        contender("bare axum", hello())?,
        contender("no-op layer", hello().layer(MapRequestLayer::new(|request| request)))?,
        Contender { settle: Box::new(settle), ..contender("aiwaf", hello().layer(waf.layer()))? },
        contender("tower_governor", governed(hello())?)?,
    ];
    // The first requests pay for what is made once; after them every client is known.
    for contender in &mut contenders {
        contender.run(requests)?;
        contender.rounds.clear();
    }
    for _ in 0..rounds {
        for contender in &mut contenders {
            contender.run(requests)?;
        }
    }
    let statistics = waf.engine().statistics();
    assert_eq!((statistics.blocked, statistics.throttled), (0, 0), "nobody did anything wrong");
    assert!(statistics.requests > u64::from(requests * rounds), "{statistics:?}");
    report(&contenders, rounds, requests)?;
    waf.shutdown().context("writing logs and lists")
}

/// All protections at their defaults, lists in CSV files, logs in files.
fn aiwaf(directory: &TempDir) -> anyhow::Result<Aiwaf> {
    let at = |name: &str| directory.path().join(name).display().to_string();
    let proxy = "127.0.0.1".parse()?;
    let waf = Aiwaf::builder().configure(|settings| {
        settings.storage.data_dir = at("data");
        settings.logging.dir = at("logs");
        settings.client.trusted_proxies = vec![proxy];
    });
    let waf = waf.build()?;
    assert_eq!(waf.enabled_protections().iter().count(), Protection::ALL.len());
    Ok(waf)
}

/// Behind `tower_governor`, which goes by the same header, with limits that nobody reaches.
fn governed(app: Router) -> anyhow::Result<Router> {
    let config = GovernorConfigBuilder::default()
        .key_extractor(SmartIpKeyExtractor)
        .per_millisecond(1)
        .burst_size(1_000_000)
        .finish()
        .context("a burst and a period")?;
    Ok(app.layer(GovernorLayer::new(config)))
}

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

/// Serves `app` on a thread with one tokio worker, until the process ends.
fn contender(name: &'static str, app: Router) -> anyhow::Result<Contender> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("listening on loopback")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    // A thread with a name can be found in a profile.
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        if let Err(error) = serve(listener, app) {
            eprintln!("{name}: {error}");
        }
    })?;
    let load =
        Load::connect(address, CONNECTIONS, CLIENTS).with_context(|| format!("connecting to {name}"))?;
    Ok(Contender { name, load, settle: Box::new(|| Ok(())), rounds: Vec::new() })
}

fn serve(listener: std::net::TcpListener, app: Router) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
    })
}

impl Contender {
    fn run(&mut self, requests: u32) -> anyhow::Result<()> {
        let cpu = cpu_time().context("this measurement needs Linux")?;
        let start = Instant::now();
        let sent = self.load.send(requests).with_context(|| format!("loading {}", self.name))?;
        let elapsed = start.elapsed();
        (self.settle)()?;
        let cpu = cpu_time()?.saturating_sub(cpu);
        self.rounds.push(Round {
            requests_per_second: f64::from(sent) / elapsed.as_secs_f64(),
            cpu_micros_per_request: cpu.as_secs_f64() * 1e6 / f64::from(sent),
        });
        Ok(())
    }

    /// Medians over the rounds: requests a second, the same as a ratio to `bare`, CPU beyond `bare` in microseconds.
    fn figures(&self, bare: &Self) -> [f64; 3] {
        let pairs = || self.rounds.iter().zip(&bare.rounds);
        let more_cpu = pairs().map(|(own, bare)| own.cpu_micros_per_request - bare.cpu_micros_per_request);
        [
            median(self.rounds.iter().map(|round| round.requests_per_second)),
            median(pairs().map(|(own, bare)| own.requests_per_second / bare.requests_per_second)),
            // CPU time is told in steps of 10 ms, which a mean averages out and a median does not.
            more_cpu.sum::<f64>() / pairs().map(|_| 1.0).sum::<f64>(),
        ]
    }
}

fn report(contenders: &[Contender], rounds: u32, requests: u32) -> anyhow::Result<()> {
    let bare = contenders.first().context("nothing was measured")?;
    println!("{rounds} rounds of {requests} requests each, {CONNECTIONS} connections, {CLIENTS} clients");
    println!("{:<16}{:>14}{:>10}{:>22}", "service", "requests/s", "ratio", "CPU more per request");
    let mut figures = Vec::new();
    for contender in contenders {
        let [requests_per_second, ratio, extra_cpu_micros] = contender.figures(bare);
        println!(
            "{:<16}{requests_per_second:>14.0}{ratio:>10.3}{:>22}",
            contender.name,
            format!("{extra_cpu_micros:.2} us")
        );
        figures.push(serde_json::json!({
            "name": contender.name,
            "requests_per_second": requests_per_second,
            "ratio_to_bare": ratio,
            "extra_cpu_micros": extra_cpu_micros,
        }));
    }
    let report = serde_json::json!({
        "rounds": rounds, "requests_per_round": requests, "clients": CLIENTS, "contenders": figures,
    });
    write_report(env!("CARGO_TARGET_TMPDIR"), "service", &report).context("writing the report")
}
