//! A line-echo service without HTTP that asks the engine about every connection and every line.
//!
//! The ban list, the rate limit and the country block need nothing but the peer's address and the time.
//!
//! ```text
//! cargo run -p aiwaf-core --example tcp_service                  # listens on 127.0.0.1:4000
//! cargo run -p aiwaf-core --example tcp_service 127.0.0.1:4001   # or where you say
//! cargo run -p aiwaf-core --example tcp_service -- --demo        # talks to itself, shows the decisions, ends
//! ```

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aiwaf_core::{
    Action, BlacklistEntry, CountryCode, CountryLookup, Engine, Lists, Protection, Request, Settings,
    Timestamp, Verdict, parse_network,
};

/// So many clients are served at the same time, by a thread each; who comes beyond that is turned away.
const MAX_CONNECTIONS: usize = 64;

/// A longer line ends the connection.
const MAX_LINE: u64 = 1024;

/// Who says nothing for so long is hung up on.
const IDLE: Duration = Duration::from_secs(30);

/// Connections and lines that a client may make in any minute.
const MAX_REQUESTS: u32 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1);
    let engine = Arc::new(guard()?);
    match argument.as_deref() {
        Some("--demo") => demo(&engine),
        address => {
            let listener = TcpListener::bind(address.unwrap_or("127.0.0.1:4000"))?;
            let address = listener.local_addr()?;
            println!("echoing lines on {address}");
            println!("  try it:        nc {} {}", address.ip(), address.port());
            println!("  exceed it:     yes | head -200 | nc {} {} | uniq -c", address.ip(), address.port());
            println!("  all at once:   rerun with -- --demo");
            serve(&listener, &engine)
        }
    }
}

/// An engine that knows a banned network, a country that may not enter, and a limit.
fn guard() -> Result<Engine, Box<dyn Error>> {
    let mut settings = Settings::default();
    settings.rate_limit.max = MAX_REQUESTS;
    settings.geo_block.blocked_countries = vec!["XX".parse()?];
    let ban = BlacklistEntry::manual(parse_network("192.0.2.0/24")?, "known scanner", now());
    Ok(Engine::builder()
        .settings(settings)
        .only([Protection::IpKeywordBlock, Protection::RateLimit, Protection::GeoBlock])
        .lists(Lists { blacklist: vec![ban], ..Lists::default() })
        .countries(Arc::new(TinyAtlas))
        .build()?)
}

/// A country look-up of our own: one network of documentation addresses lies in XX.
struct TinyAtlas;

impl CountryLookup for TinyAtlas {
    fn country(&self, address: IpAddr) -> Option<CountryCode> {
        match address.to_canonical() {
            IpAddr::V4(v4) if v4.octets().starts_with(&[198, 51, 100]) => "XX".parse().ok(),
            _ => None,
        }
    }
}

/// The engine has no clock: this is the only place that reads one.
fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::UNIX_EPOCH + since_epoch
}

fn serve(listener: &TcpListener, engine: &Arc<Engine>) -> Result<(), Box<dyn Error>> {
    let connections = Arc::new(AtomicUsize::new(0));
    for connection in listener.incoming() {
        let connection = match connection {
            Ok(connection) => connection,
            Err(error) => {
                eprintln!("can't accept a connection: {error}");
                // Out of file descriptors, for instance: trying again at once would only burn time.
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        let place = Place::take(&connections);
        let engine = Arc::clone(engine);
        let Some(place) = place else {
            hang_up(&connection, "busy, try again later");
            continue;
        };
        std::thread::Builder::new().spawn(move || {
            if let Err(error) = echo(&connection, &engine) {
                eprintln!("a connection ended early: {error}");
            }
            drop(place);
        })?;
    }
    Ok(())
}

/// One of the places for connections, given back when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(taken));
        (taken.fetch_add(1, Ordering::AcqRel) < MAX_CONNECTIONS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn echo(connection: &TcpStream, engine: &Engine) -> io::Result<()> {
    let peer = connection.peer_addr()?.ip();
    connection.set_read_timeout(Some(IDLE))?;
    connection.set_write_timeout(Some(IDLE))?;
    if let Some(refusal) = refusal(&engine.inspect(&Request::new(peer, now()))) {
        hang_up(connection, &refusal);
        return Ok(());
    }
    let mut reader = BufReader::new(connection);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") && line.len() as u64 == MAX_LINE {
            hang_up(connection, "the line is too long");
            return Ok(());
        }
        let verdict = engine.inspect(&Request::new(peer, now()));
        let mut writer = connection;
        match refusal(&verdict) {
            None => writer.write_all(&line)?,
            Some(refusal) => writer.write_all(format!("{refusal}\n").as_bytes())?,
        }
        if verdict.action == Action::Block {
            return Ok(());
        }
    }
}

/// What a client is told that may not go on.
fn refusal(verdict: &Verdict) -> Option<String> {
    match verdict.action {
        Action::Allow => None,
        Action::Throttle { retry_after } => {
            Some(format!("too many requests, try again in {} s", retry_after.as_secs() + 1))
        }
        Action::Block => Some("blocked".to_owned()),
    }
}

/// Says a last word, which the client may not wait for any more.
fn hang_up(mut connection: &TcpStream, why: &str) {
    if let Err(error) = connection.write_all(format!("{why}\n").as_bytes()) {
        eprintln!("a client left before it was told `{why}`: {error}");
    }
}

/// Connects to the service, sends lines until the limit is exceeded, and asks about two clients from elsewhere.
fn demo(engine: &Arc<Engine>) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address: SocketAddr = listener.local_addr()?;
    let serving = Arc::clone(engine);
    std::thread::spawn(move || serve(&listener, &serving).map_err(|error| eprintln!("{error}")));

    println!("a service on {address}; {MAX_REQUESTS} connections and lines a minute are allowed");
    let connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    println!("request   1: connected");
    let mut answers = BufReader::new(&connection).lines();
    for request in 2..=MAX_REQUESTS + 1 {
        let mut sending = &connection;
        sending.write_all(format!("hello {request}\n").as_bytes())?;
        let answer = answers.next().ok_or("the service hung up")??;
        let echoed = answer == format!("hello {request}");
        if request <= 3 || request >= MAX_REQUESTS {
            println!("request {request:>3}: {answer}");
        }
        if echoed != (request <= MAX_REQUESTS) {
            return Err(format!("request {request} was answered {answer:?}").into());
        }
    }
    for (client, who) in [("192.0.2.77", "on the ban list"), ("198.51.100.7", "in a blocked country")] {
        let verdict = engine.inspect(&Request::new(client.parse()?, now()));
        let reason = verdict.finding.as_ref().map(|finding| finding.reason.to_string());
        println!("{client} ({who}): {}, {}", verdict.action.name(), reason.ok_or("it was not denied")?);
    }
    let statistics = engine.statistics();
    println!(
        "{} requests, {} throttled, {} blocked",
        statistics.requests, statistics.throttled, statistics.blocked
    );
    Ok(())
}
