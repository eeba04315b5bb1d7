//! What collectors of logs put in front of each line: syslog and containers.

use super::common::split_at_byte;
use super::time;

/// What is left of `line` without the collector's part; `None` if there is none.
///
/// Read are the syslog formats of RFC 3164 and RFC 5424, with their priority or as files have them, the lines of
/// Kubernetes (`TIME stdout F `), and those of `docker compose` (`name  | `).
pub(super) fn unwrap(line: &[u8]) -> Option<&[u8]> {
    let text = after_priority(line).unwrap_or(line);
    container(text).or_else(|| new_syslog(text)).or_else(|| syslog(text)).or_else(|| compose(text))
}

/// `<134>` in front of a syslog message.
fn after_priority(line: &[u8]) -> Option<&[u8]> {
    let (number, rest) = split_at_byte(line.strip_prefix(b"<")?, b'>')?;
    (number.len() <= 3 && number.iter().all(u8::is_ascii_digit)).then_some(rest)
}

/// `2025-12-31T17:37:40.493035218+01:00 stdout F `.
fn container(text: &[u8]) -> Option<&[u8]> {
    let (moment, rest) = word(text)?;
    let (stream, rest) = word(rest)?;
    let (tag, rest) = word(rest)?;
    time::parse_iso(moment)?;
    (matches!(stream, b"stdout" | b"stderr") && matches!(tag, b"F" | b"P")).then_some(rest)
}

/// `1 2025-12-31T17:37:40Z host app 7 - - `, of RFC 5424, with empty structured data.
fn new_syslog(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"1 ")?;
    let (moment, mut rest) = word(rest)?;
    time::parse_iso(moment)?;
    for _ in 0..4 {
        (_, rest) = word(rest)?;
    }
    rest.strip_prefix(b"- ")
}

/// `Sep 15 16:13:46 host nginx[7]: `, of RFC 3164, or the same with an ISO 8601 time.
fn syslog(text: &[u8]) -> Option<&[u8]> {
    let rest = match word(text) {
        Some((moment, rest)) if time::parse_iso(moment).is_some() => rest,
        _ => {
            let (head, rest) = text.split_at_checked(16)?;
            let is_date = matches!(
                head,
                [a, _, _, b' ', _, _, b' ', _, _, b':', _, _, b':', _, _, b' '] if a.is_ascii_uppercase()
            );
            is_date.then_some(rest)?
        }
    };
    let (_, rest) = word(rest)?;
    let (tag, rest) = word(rest)?;
    tag.ends_with(b":").then_some(rest)
}

/// `name      | `.
fn compose(text: &[u8]) -> Option<&[u8]> {
    let (name, rest) = split_at_byte(text.get(..64).unwrap_or(text), b'|')?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b' ');
    if !name.ends_with(b" ") || !name.iter().all(is_name) || !rest.starts_with(b" ") {
        return None;
    }
    text.get(name.len() + 2..)
}

/// The first word, at most 255 bytes, and what comes behind its blank.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (word, _) = split_at_byte(text.get(..256).unwrap_or(text), b' ')?;
    Some((word, text.get(word.len() + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collectors_are_known() {
        for front in [
            "Sep  5 16:13:46 web-1 nginx[2869]: ",
            "Sep 15 16:13:46 web-1 nginx: ",
            "<134>Sep 15 16:13:46 web-1 nginx: ",
            "2025-09-14T15:02:41.799042+02:00 web-1 nginx: ",
            "<134>1 2025-09-14T15:02:41Z web-1 nginx 7 - - ",
            "2025-12-31T17:37:40.493035218+01:00 stdout F ",
            "web-1          | ",
        ] {
            let line = format!("{front}192.0.2.7 - - [x] \"y | z\"");
            assert_eq!(unwrap(line.as_bytes()), Some(&b"192.0.2.7 - - [x] \"y | z\""[..]), "{front}");
        }
        for plain in [
            r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET /a|b HTTP/1.1" 200 1"#,
            r#"a.example 192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET / HTTP/1.1" 200 1 "-" "x: y""#,
            r#"{"a": "b | c"}"#,
            "2025-09-14T15:02:41,127.0.0.1,GET,/api/data,200",
            "",
            "<",
            "<1",
        ] {
            assert_eq!(unwrap(plain.as_bytes()), None, "{plain}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(line: Vec<u8>) {
            for front in ["", "<13>", "Sep 15 16:13:46 ", "1 2025-09-14T15:02:41Z "] {
                let _ = unwrap(&[front.as_bytes(), &line[..]].concat());
            }
        }
    }
}
