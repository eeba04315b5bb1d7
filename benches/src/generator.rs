//! Load generator in a process of its own, so that the server's CPU time is the server's alone.
//!
//! The measuring program starts itself with `--load-generator` and writes orders to its standard input: a line with
//! the server's address and the number of requests. The answer is a line with the figures in nanoseconds.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::load::{Load, LoadFigures};

/// First argument of a process that is to be the generator.
const GENERATOR_ARGUMENT: &str = "--load-generator";

/// Generator process. It ends when this is dropped.
pub struct Generator {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Generator {
    /// Starts this program again as generator, with `connections` per server, on behalf of `clients` client addresses.
    ///
    /// # Errors
    /// If the process can't be started.
    pub fn start(connections: usize, clients: u32) -> io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([GENERATOR_ARGUMENT, &connections.to_string(), &clients.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = process.stdin.take();
        let answers = process.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        Ok(Self { process, orders, answers: BufReader::new(answers) })
    }

    /// Sends `requests` requests to `server` and waits for all responses.
    ///
    /// # Errors
    /// If the generator ended: a response was not 200, or a connection broke. It reports which on standard error.
    pub fn send(&mut self, server: SocketAddr, requests: u32) -> io::Result<LoadFigures> {
        let orders = self.orders.as_mut().ok_or_else(|| io::Error::other("no standard input"))?;
        writeln!(orders, "{server} {requests}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        parse_figures(&answer).ok_or_else(|| io::Error::other("the load generator failed"))
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // Its input ends, and so does the process.
        self.orders = None;
        let _ = self.process.wait();
    }
}

/// Runs the generator if this process was started as one, and reports whether it was.
///
/// # Errors
/// If an order is malformed or can't be carried out.
pub fn run_if_generator() -> io::Result<bool> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(GENERATOR_ARGUMENT) {
        return Ok(false);
    }
    let mut number = || arguments.next().and_then(|text| text.parse::<u32>().ok());
    let (Some(connections), Some(clients)) = (number(), number()) else {
        return Err(malformed("arguments"));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut loads: HashMap<SocketAddr, Load> = HashMap::new();
    for order in io::stdin().lines() {
        let order = order?;
        let parsed = order.split_once(' ').and_then(|(server, requests)| {
            Some((server.parse::<SocketAddr>().ok()?, requests.parse::<u32>().ok()?))
        });
        let (server, requests) = parsed.ok_or_else(|| malformed(&order))?;
        let figures = runtime.block_on(async {
            let mut load = match loads.remove(&server) {
                Some(load) => load,
                None => Load::connect(server, connections as usize, clients).await?,
            };
            let figures = load.send(requests).await?;
            loads.insert(server, load);
            io::Result::Ok(figures)
        })?;
        let mut out = io::stdout().lock();
        writeln!(out, "{}", written_figures(&figures))?;
        out.flush()?;
    }
    Ok(true)
}

fn written_figures(figures: &LoadFigures) -> String {
    let [elapsed, p50, p99] = [figures.elapsed, figures.p50, figures.p99].map(|time| time.as_nanos());
    format!("{} {elapsed} {p50} {p99}", figures.requests)
}

fn parse_figures(text: &str) -> Option<LoadFigures> {
    let mut numbers = text.split_ascii_whitespace().map(|number| number.parse::<u64>().ok());
    let requests = numbers.next()??.try_into().ok()?;
    let mut time = || numbers.next().flatten().map(Duration::from_nanos);
    Some(LoadFigures { requests, elapsed: time()?, p50: time()?, p99: time()? })
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("malformed order to the load generator: {what:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_survive_the_pipe() {
        let figures = LoadFigures {
            requests: 7,
            elapsed: Duration::from_millis(1500),
            p50: Duration::from_nanos(20),
            p99: Duration::from_nanos(30),
        };
        assert_eq!(parse_figures(&written_figures(&figures)), Some(figures));
        assert_eq!(parse_figures(""), None);
    }
}
