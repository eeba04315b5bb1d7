//! Running the command in an empty directory.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// An empty directory in which commands run.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// The command with these arguments; nothing of the environment's settings reaches it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aiwaf"));
        command.args(arguments).current_dir(self.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AIWAF_") {
                command.env_remove(name);
            }
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    /// What the command prints, if it does what it is told without complaint.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert!(ran.code == 0 && ran.err.is_empty(), "{arguments:?}: {ran:?}");
        ran.out
    }

    /// As [`text`](Self::text), read as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.text(arguments)).unwrap()
    }

    /// The one line that the command complains in.
    pub(crate) fn error(&self, arguments: &[&str], code: i32) -> String {
        let ran = self.run(arguments);
        assert!(ran.code == code && ran.err.lines().count() == 1, "{arguments:?}: {ran:?}");
        ran.err.strip_prefix("aiwaf: ").unwrap_or(&ran.err).trim_end().to_owned()
    }

    /// Lists as an operator keeps them, with entries of every kind.
    pub(crate) fn with_lists(self) -> Self {
        self.write(
            "aiwaf_data/whitelist.csv",
            "ip,added_date,reason\n192.168.1.0/24,2025-09-01T08:00:00,office\n2001:db8::7,,\n",
        );
        self.write(
            "aiwaf_data/blacklist.csv",
            "ip,reason,added_date,source,expires,offences,extended_request_info\n\
             203.0.113.10,SQL injection attack detected,2025-09-14T09:15:30,manual,,1,\n\
             198.51.100.0/24,Flood pattern,2025-09-14T10:22:15,rate_limit,2099-01-01T00:00:00,3,\"{\"\"path\"\":\"\"/x\"\"}\"\n\
             192.0.2.1,ended long ago,2020-01-01T00:00:00,honeypot,2020-01-02T00:00:00,1,\n",
        );
        self.write(
            "aiwaf_data/keywords.csv",
            "keyword,added_date,source,count\nunion select,2025-09-14T09:00:00,manual,1\nxmlrpc,2025-09-14T09:30:00,learned,7\n",
        );
        self.write("aiwaf_data/geo_blocked_countries.csv", "country,added_date\nKP,2025-09-14T09:00:00\n");
        self.write(
            "aiwaf_data/path_exemptions.csv",
            "path,reason,added_date\n/health,Health check,2025-09-14T09:00:00\n",
        );
        self
    }

    /// Runs the command with `input` as its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Ran {
        feed(&mut self.command(arguments), input.as_ref())
    }
}

/// Runs `command` with `input` as its standard input.
pub(crate) fn feed(command: &mut Command, input: &[u8]) -> Ran {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // A command that ends without reading closes the pipe, which is its right.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
