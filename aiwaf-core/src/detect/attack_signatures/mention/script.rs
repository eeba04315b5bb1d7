//! Scripts that people paste: what they begin with, and what they must not hold.

/// Programs that build, install, read and list; scripts of people begin with them.
const PROGRAMS: [&[u8]; 54] = [
    b"ansible",
    b"apt",
    b"apt-get",
    b"bazel",
    b"brew",
    b"bundle",
    b"cargo",
    b"cat",
    b"cd",
    b"composer",
    b"conda",
    b"df",
    b"dir",
    b"dmesg",
    b"dnf",
    b"docker",
    b"docker-compose",
    b"du",
    b"echo",
    b"export",
    b"find",
    b"git",
    b"go",
    b"gradle",
    b"grep",
    b"head",
    b"helm",
    b"history",
    b"journalctl",
    b"kubectl",
    b"ls",
    b"make",
    b"mkdir",
    b"mvn",
    b"node",
    b"npm",
    b"npx",
    b"pip",
    b"pip3",
    b"pnpm",
    b"podman",
    b"poetry",
    b"ps",
    b"python",
    b"python3",
    b"rustup",
    b"sudo",
    b"systemctl",
    b"tail",
    b"terraform",
    b"uv",
    b"vagrant",
    b"yarn",
    b"yum",
];

/// What a script of a person has no need of, or what attacks begin with.
const RISKY: [&[u8]; 46] = [
    b"bash",
    b"base64",
    b"busybox",
    b"chmod",
    b"chown",
    b"crontab",
    b"csh",
    b"curl",
    b"dash",
    b"env",
    b"eval",
    b"exec",
    b"hostname",
    b"id",
    b"ifconfig",
    b"ipconfig",
    b"ksh",
    b"mkfifo",
    b"mknod",
    b"nc",
    b"ncat",
    b"net",
    b"netcat",
    b"netstat",
    b"nslookup",
    b"openssl",
    b"passwd",
    b"perl",
    b"php",
    b"ping",
    b"powershell",
    b"printenv",
    b"pwd",
    b"python2",
    b"ruby",
    b"sh",
    b"shadow",
    b"sleep",
    b"socat",
    b"telnet",
    b"uname",
    b"wget",
    b"whoami",
    b"xxd",
    b"xterm",
    b"zsh",
];

/// Reports whether `code` is several commands of which each line begins with one of [`PROGRAMS`], and none has anything
/// of [`RISKY`], a substitution or a file of the system in it.
pub(super) fn is_harmless_script(code: &[u8]) -> bool {
    let code = code.trim_ascii();
    let begins_rightly = code.split(|byte| *byte == b'\n').all(|line| {
        let line = without_prompt(line);
        line.is_empty() || PROGRAMS.contains(&first_word(line))
    });
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    begins_rightly
        && has_separator(code)
        && memchr::memmem::find(code, b"$(").is_none()
        && memchr::memmem::find(code, b"/etc/").is_none()
        && !memchr::memmem::find_iter(code, b"/bin/").any(|at| is_absolute(code, at))
        && memchr::memmem::find(code, b"/dev/").is_none()
        && !code.iter().any(|byte| b"`<>\\\0".contains(byte))
        && !code
            .split(|byte| !is_word(byte))
            .any(|word| RISKY.contains(&word) || word == b"-c" || word == b"-e")
}

/// Reports whether the slash at `at` begins a path.
fn is_absolute(code: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| code.get(before));
    !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn without_prompt(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    let prompt = [&b"$ "[..], b"# ", b"> ", b"% "].into_iter().find_map(|prompt| line.strip_prefix(prompt));
    prompt.unwrap_or(line).trim_ascii_start()
}

fn first_word(line: &[u8]) -> &[u8] {
    line.split(|byte| byte.is_ascii_whitespace() || b";|&".contains(byte)).next().unwrap_or_default()
}

/// Commands that read the file which they are given.
const READERS: [&[u8]; 22] = [
    b"awk", b"cat", b"cp", b"curl", b"file", b"grep", b"head", b"include", b"less", b"ls", b"more", b"mv",
    b"nano", b"nl", b"od", b"require", b"sed", b"tac", b"tail", b"type", b"vi", b"vim",
];

/// Reports whether `before` ends with a command that reads the file which comes next.
pub(super) fn ends_with_reader(before: &[u8]) -> bool {
    let word = before.trim_ascii_end();
    let start = word.iter().rposition(|byte| !byte.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
    let word = word.get(start..).unwrap_or_default();
    READERS.contains(&word)
}

/// Reports whether a shell would begin another command somewhere in `text`.
pub(super) fn has_separator(text: &[u8]) -> bool {
    text.iter().any(|byte| b";|&`$\n".contains(byte))
}
