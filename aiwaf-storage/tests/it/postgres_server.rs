//! A throw-away PostgreSQL server.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

/// The URL of a new, empty database on the server that all tests share.
///
/// `None` where no server can be started, which is said once in a line that is no test's output, so that it is seen.
pub(crate) fn new_database() -> Option<String> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match Server::start() {
        Ok(server) => Some(server),
        Err(reason) => {
            // Not by a macro, for the harness would keep to itself what those print.
            let line = format!("POSTGRESQL TESTS DID NOT RUN: {reason}\n");
            std::io::stdout().write_all(line.as_bytes()).unwrap();
            None
        }
    });
    server.as_ref().map(Server::new_database)
}

/// A server on a free port of the loopback interface. It ends and is deleted when it is dropped and when this process
/// ends, however that comes about: the shell that guards it waits for the end of its standard input.
pub(crate) struct Server {
    guard: Child,
    port: u16,
    tools: PathBuf,
    directory: PathBuf,
}

/// `$1` has the tools, `$2` is for the data, `$3` is the port.
const GUARD: &str = r#"
    "$1/initdb" --pgdata "$2/data" --username postgres --auth trust --no-sync --encoding UTF8 --locale C >&2 &&
    "$1/pg_ctl" --pgdata "$2/data" --log "$2/log" --wait --silent \
        --options "-c listen_addresses=127.0.0.1 -p $3 -c unix_socket_directories= -c fsync=off" start >&2 &&
    echo ready && cat > "$2/input"
    "$1/pg_ctl" --pgdata "$2/data" --silent --mode immediate stop >&2
    rm -rf "$2"
"#;

impl Server {
    /// Starts one, or says why that can't be.
    pub(crate) fn start() -> Result<Self, String> {
        let tools = tools().ok_or("there is no initdb on the PATH or in /usr/lib/postgresql/*/bin")?;
        let directory = tempfile::Builder::new().prefix("aiwaf-postgres-").tempdir().unwrap().keep();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut command = unprivileged(&directory)?;
        let guard = command
            .args(["sh", "-c", GUARD, "guard"])
            .args([&tools, &directory])
            .arg(port.to_string())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut guard = guard.map_err(|error| format!("{command:?} failed: {error}"))?;
        let mut line = String::new();
        BufReader::new(guard.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line != "ready\n" {
            let output = guard.wait_with_output().unwrap();
            return Err(String::from_utf8_lossy(&output.stderr).replace('\n', "; "));
        }
        Ok(Self { guard, port, tools, directory })
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn new_database(&self) -> String {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::establish(&self.url("postgres")).unwrap();
        connection.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        self.url(&name)
    }

    /// Ends and starts the server itself, not its guard.
    pub(crate) fn control(&self, verb: &str) {
        let mut command = unprivileged(&self.directory).unwrap();
        command.arg(self.tools.join("pg_ctl")).arg("--pgdata").arg(self.directory.join("data"));
        command.arg("--log").arg(self.directory.join("log"));
        command.args(["--wait", "--silent", verb]).current_dir("/");
        if verb == "start" {
            let options = format!(
                "-c listen_addresses=127.0.0.1 -p {} -c unix_socket_directories= -c fsync=off",
                self.port
            );
            command.args(["--options", &options]);
        } else {
            command.args(["--mode", "fast"]);
        }
        assert!(command.stdout(Stdio::null()).status().unwrap().success(), "{command:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        self.guard.wait().unwrap();
    }
}

/// The directory of the newest server's tools.
fn tools() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<_> = installed.map(|version| version.path().join("bin")).collect();
    installed.sort_unstable_by(|a, b| version(b).total_cmp(&version(a)));
    std::env::split_paths(&path).chain(installed).find(|tools| tools.join("initdb").is_file())
}

fn version(tools: &Path) -> f64 {
    let version = tools.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse().ok());
    version.unwrap_or(0.0)
}

/// A command that runs the rest of its arguments as somebody to whom `directory` belongs, and who is not root: as such
/// PostgreSQL does not run.
fn unprivileged(directory: &Path) -> Result<Command, String> {
    if id("-u", None)? != 0 {
        return Ok(Command::new("env"));
    }
    let user = ["postgres", "nobody"].into_iter().find(|user| id("-u", Some(user)).is_ok());
    let user = user.ok_or("this is root, and there is no user postgres or nobody")?;
    let (owner, group) = (id("-u", Some(user))?, id("-g", Some(user))?);
    std::os::unix::fs::chown(directory, Some(owner), Some(group)).map_err(|error| error.to_string())?;
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={owner}"), format!("--regid={group}")]).args(["--clear-groups", "--"]);
    Ok(command)
}

fn id(option: &str, user: Option<&str>) -> Result<u32, String> {
    let output = Command::new("id").arg(option).args(user).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| format!("id {option} {user:?} says {text:?}"))
}
