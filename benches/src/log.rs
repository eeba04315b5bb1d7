//! A log as large as needed, the same at every run.

use std::io::{self, Write};

/// Writes so many lines of the combined format: mostly pages that the site has, asked for by many clients, and a few
/// scanners. About 190 bytes a line.
///
/// # Errors
/// If `out` can't be written to.
pub fn write_log(out: &mut impl Write, lines: u32) -> io::Result<()> {
    for number in 0..lines {
        // An odd factor visits every 32-bit value once, in an order that looks random.
        let random = number.wrapping_mul(2_654_435_761);
        let seconds = number / 40;
        let (day, hour, minute, second) =
            (1 + seconds / 86_400 % 28, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let [a, b, c, d] = random.to_be_bytes();
        // One line in a hundred is a scanner's.
        let scanner = random % 100 == 0;
        let (client, target, status) = if scanner {
            let probe = PROBES[usize::from(b) % PROBES.len()];
            (format!("203.0.113.{}", c % 64), probe.to_owned(), 404)
        } else {
            let page = PAGES[usize::from(a) % PAGES.len()];
            let status = if b == 0 { 404 } else { 200 };
            (format!("198.18.{}.{d}", c % 64), format!("{page}{}", u32::from(b) % 50), status)
        };
        writeln!(
            out,
            "{client} - - [{day:02}/Mar/2026:{hour:02}:{minute:02}:{second:02} +0000] \"GET {target} HTTP/1.1\" {status} \
             {} \"https://shop.example/\" \"{AGENT}\" {}ms - \"-\"",
            1000 + random % 50_000,
            3 + random % 97,
        )?;
    }
    Ok(())
}

const PAGES: [&str; 4] = ["/products/", "/blog/article-", "/search?q=tents&page=", "/categories/outdoor/"];
const PROBES: [&str; 6] =
    ["/.env", "/wp-login.php", "/.git/config", "/phpmyadmin/", "/cgi-bin/luci", "/backup.sql"];
const AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_request() {
        let mut log = Vec::new();
        write_log(&mut log, 1000).unwrap();
        let mut parser = aiwaf_core::LineParser::new(aiwaf_core::LogFormat::Combined);
        let requests =
            log.split(|&byte| byte == b'\n').filter(|line| matches!(parser.parse(line), Ok(Some(_))));
        assert_eq!(requests.count(), 1000);
    }
}
