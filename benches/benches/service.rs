//! Cost of AIWAF for a whole service: axum on a loopback socket, alone and behind layers, in one run.
//!
//! Each contender is the same "hello" on a thread of its own with one tokio worker. A generator in another process
//! loads them in turns, round by round, so that other work on the machine hits all of them; a round's ratio is to the
//! bare service in the same round. The generator keeps one request open on each of many connections, so that the worker
//! always has work; "busy" is the share of the time that it was on a CPU. Below 90 % something else was the limit, and
//! the ratios flatter. The CPU time is that of the server process, log writers included.
//!
//! The load is that of browsers behind a proxy on 127.0.0.1: many clients, told apart by `X-Forwarded-For`, so that all
//! protections run at their defaults and no client reaches a limit. Every response must be 200.

use std::net::SocketAddr;
use std::time::Duration;

use aiwaf_benches::{CpuTime, Generator, is_quick, median, quantile, run_if_generator, write_report};
use aiwaf_middleware::{Aiwaf, Protection};
use anyhow::Context;
use axum::Router;
use axum::routing::get;
use tempfile::TempDir;
use tower::util::MapRequestLayer;
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::SmartIpKeyExtractor;

/// Connections to each contender, each with one request open.
const CONNECTIONS: usize = 64;

/// Client addresses. Each comes less than 100 times a minute, the default limit, as long as a contender answers less
/// than 27,000 requests a second on average over all turns.
const CLIENTS: u32 = 16_384;

/// Share of the time that the worker must be on a CPU for its throughput to be its own limit.
const SATURATED: f64 = 0.9;

struct Contender {
    name: &'static str,
    address: SocketAddr,
    waf: Option<Aiwaf>,
    rounds: Vec<Round>,
}

struct Round {
    requests_per_second: f64,
    /// Of the whole server process.
    cpu_micros: f64,
    /// Share of the round that the worker was on a CPU.
    busy: f64,
    p50_micros: f64,
    p99_micros: f64,
}

fn main() -> anyhow::Result<()> {
    if run_if_generator().context("generating load")? {
        return Ok(());
    }
    let (rounds, requests) = if is_quick() { (2, CLIENTS / 2) } else { (11, 2 * CLIENTS) };
    let directory = tempfile::tempdir().context("creating a temporary directory")?;
    let signatures = Protection::AttackSignatures;
    let logging = Protection::Logging;
    let mut contenders = vec![
        contender("bare axum", hello(), None)?,
        contender("no-op layer", hello().layer(MapRequestLayer::new(|request| request)), None)?,
        protected("aiwaf", &directory, &[])?,
        protected("aiwaf without logging", &directory, &[logging])?,
        protected("aiwaf without signatures", &directory, &[signatures])?,
        protected("aiwaf without both", &directory, &[signatures, logging])?,
        contender("tower_governor", governed(hello())?, None)?,
    ];
    let mut generator = Generator::start(CONNECTIONS, CLIENTS).context("starting the load generator")?;
    // The first requests pay for one-time work; after them every client is known.
    for contender in &mut contenders {
        contender.run(&mut generator, 2 * CLIENTS)?;
        contender.rounds.clear();
    }
    for _ in 0..rounds {
        for contender in &mut contenders {
            contender.run(&mut generator, requests)?;
        }
    }
    for waf in contenders.iter().filter_map(|contender| contender.waf.as_ref()) {
        let statistics = waf.engine().statistics();
        assert_eq!((statistics.blocked, statistics.throttled), (0, 0), "no client did anything wrong");
        assert!(statistics.requests > u64::from(requests * rounds), "{statistics:?}");
    }
    report(&contenders, rounds, requests)?;
    for waf in contenders.iter().filter_map(|contender| contender.waf.as_ref()) {
        waf.shutdown().context("writing logs and lists")?;
    }
    Ok(())
}

/// AIWAF at its defaults but for the protections that are `left_out`, lists in CSV files, logs in files.
fn protected(name: &'static str, directory: &TempDir, left_out: &[Protection]) -> anyhow::Result<Contender> {
    let at = |kind: &str| directory.path().join(format!("{name} {kind}")).display().to_string();
    let proxy = "127.0.0.1".parse()?;
    let waf = Aiwaf::builder().configure(|settings| {
        settings.storage.data_dir = at("data");
        settings.logging.dir = at("logs");
        settings.client.trusted_proxies = vec![proxy];
        settings.protections.disabled = left_out.to_vec();
    });
    let waf = waf.build()?;
    assert_eq!(waf.enabled_protections().iter().count(), Protection::ALL.len() - left_out.len());
    contender(name, hello().layer(waf.layer()), Some(waf.clone()))
}

/// Behind `tower_governor`, which goes by the same header, with limits that no client reaches.
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

/// Serves `app` on a thread with one tokio worker, until the process ends. The thread has the contender's name.
fn contender(name: &'static str, app: Router, waf: Option<Aiwaf>) -> anyhow::Result<Contender> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("listening on loopback")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    std::thread::Builder::new().name(thread_name(address)).spawn(move || {
        if let Err(error) = serve(listener, app) {
            eprintln!("{name}: {error}");
        }
    })?;
    Ok(Contender { name, address, waf, rounds: Vec::new() })
}

/// Name of the thread that serves `address`: short, since Linux keeps 15 bytes.
fn thread_name(address: SocketAddr) -> String {
    format!("worker-{}", address.port())
}

fn serve(listener: std::net::TcpListener, app: Router) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
    })
}

impl Contender {
    fn run(&mut self, generator: &mut Generator, requests: u32) -> anyhow::Result<()> {
        let thread = thread_name(self.address);
        let before = CpuTime::now(&thread).context("this measurement needs Linux")?;
        let load =
            generator.send(self.address, requests).with_context(|| format!("loading {}", self.name))?;
        let worker = CpuTime::now(&thread)?.since(before).named;
        // The CPU time includes writing the logs of all requests.
        if let Some(waf) = &self.waf {
            waf.flush(Duration::from_secs(10)).context("writing logs and lists")?;
        }
        let total = CpuTime::now(&thread)?.since(before).total;
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        self.rounds.push(Round {
            requests_per_second: f64::from(requests) / load.elapsed.as_secs_f64(),
            cpu_micros: micros(total) / f64::from(requests),
            busy: worker.as_secs_f64() / load.elapsed.as_secs_f64(),
            p50_micros: micros(load.p50),
            p99_micros: micros(load.p99),
        });
        Ok(())
    }

    fn median(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(figure))
    }

    /// The same figure in each round, compared with that of `bare` in the same round.
    fn compared(
        &self,
        bare: &Self,
        compare: impl Fn(&Round, &Round) -> f64,
    ) -> impl Iterator<Item = f64> + Clone {
        let rounds = self.rounds.iter().zip(&bare.rounds);
        rounds.map(|(own, bare)| compare(own, bare)).collect::<Vec<_>>().into_iter()
    }
}

fn report(contenders: &[Contender], rounds: u32, requests: u32) -> anyhow::Result<()> {
    let bare = contenders.first().context("no contender was measured")?;
    println!("{rounds} rounds of {requests} requests each, {CONNECTIONS} connections, {CLIENTS} clients");
    println!(
        "{:<26}{:>11}{:>8}{:>16}{:>7}{:>9}{:>9}{:>9}{:>9}",
        "service", "requests/s", "ratio", "lowest-highest", "busy", "CPU us", "more us", "p50 us", "p99 us"
    );
    let mut figures = Vec::new();
    for contender in contenders {
        let ratios = contender.compared(bare, |own, bare| own.requests_per_second / bare.requests_per_second);
        let more_cpu = contender.compared(bare, |own, bare| own.cpu_micros - bare.cpu_micros);
        let rate = contender.median(|round| round.requests_per_second);
        let [ratio, lowest, highest] =
            [median(ratios.clone()), quantile(ratios.clone(), 0.0), quantile(ratios, 1.0)];
        let cpu = contender.median(|round| round.cpu_micros);
        let more_cpu = median(more_cpu);
        let busy = contender.median(|round| round.busy);
        let p50 = contender.median(|round| round.p50_micros);
        let p99 = contender.median(|round| round.p99_micros);
        println!(
            "{:<26}{rate:>11.0}{ratio:>8.3}{:>16}{:>7}{cpu:>9.2}{more_cpu:>9.2}{p50:>9.0}{p99:>9.0}",
            contender.name,
            format!("{lowest:.3}-{highest:.3}"),
            format!("{:.0} %", busy * 100.0),
        );
        figures.push(serde_json::json!({
            "name": contender.name,
            "requests_per_second": rate,
            "ratio_to_bare": ratio,
            "lowest_ratio_to_bare": lowest,
            "highest_ratio_to_bare": highest,
            "worker_busy": busy,
            "cpu_micros": cpu,
            "extra_cpu_micros": more_cpu,
            "p50_micros": p50,
            "p99_micros": p99,
        }));
    }
    if contenders.iter().any(|contender| contender.median(|round| round.busy) < SATURATED) {
        println!("a worker was not saturated: the ratios flatter; trust the CPU time");
    }
    let report = serde_json::json!({
        "rounds": rounds, "requests_per_round": requests, "clients": CLIENTS, "contenders": figures,
    });
    write_report(env!("CARGO_TARGET_TMPDIR"), "service", &report).context("writing the report")
}
