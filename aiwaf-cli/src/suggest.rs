//! What somebody may have meant who typed something that is no address.

use aiwaf_core::{display_network, parse_network};

/// The address or network that `text` may have meant; `None` if it is a mere guess.
pub(crate) fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let candidates = [
        without_scheme_and_path(text),
        text.trim_matches(|character: char| !character.is_ascii_alphanumeric() && character != ':')
            .to_owned(),
        text.replace(',', "."),
        without_leading_zeros(text),
        shortened_network(text),
        text.split_once('/').map(|(address, _)| address.to_owned()).unwrap_or_default(),
    ];
    candidates.into_iter().find_map(|candidate| {
        let network = parse_network(&candidate).ok()?;
        Some(display_network(&network))
    })
}

/// `http://10.0.0.1:80/x` and `[2001:db8::1]:443` name the address inside.
fn without_scheme_and_path(text: &str) -> String {
    let after = text.split_once("://").map_or(text, |(_, after)| after);
    let authority = if after == text { after } else { after.split('/').next().unwrap_or(after) };
    if let Some((inside, _)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inside.to_owned();
    }
    match authority.split_once(':') {
        Some((address, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => address.to_owned(),
        _ => authority.to_owned(),
    }
}

/// `010.000.0.1` is `10.0.0.1` to people, and octal to some programs.
fn without_leading_zeros(text: &str) -> String {
    let parts = text.split('.').map(|part| {
        let digits = part.trim_start_matches('0');
        if digits.is_empty() && !part.is_empty() { "0" } else { digits }
    });
    parts.collect::<Vec<_>>().join(".")
}

/// `10.0.*`, `10.0.` and `10.0` are networks to people.
fn shortened_network(text: &str) -> String {
    let known: Vec<&str> = text.split('.').take_while(|part| part.parse::<u8>().is_ok()).collect();
    let rest_is_open = text.split('.').skip(known.len()).all(|part| matches!(part, "" | "*" | "x"));
    if known.is_empty() || known.len() > 3 || !rest_is_open {
        return String::new();
    }
    let zeros = std::iter::repeat_n("0", 4 - known.len());
    let bits = known.len() * 8;
    format!("{}/{bits}", known.into_iter().chain(zeros).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood() {
        for (text, meant) in [
            ("10.0.0.1:8080", "10.0.0.1"),
            ("http://10.0.0.1/admin", "10.0.0.1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("10.0.0.1,", "10.0.0.1"),
            ("(10.0.0.1)", "10.0.0.1"),
            ("10,0,0,1", "10.0.0.1"),
            ("010.000.0.1", "10.0.0.1"),
            ("10.0.*", "10.0.0.0/16"),
            ("10.0.0.*", "10.0.0.0/24"),
            ("192.168", "192.168.0.0/16"),
            ("10.0.0.1/33", "10.0.0.1"),
        ] {
            assert_eq!(address(text).as_deref(), Some(meant), "{text}");
        }
        for text in ["banana", "", "999.1.1.1", "1.2.3.4.5", "*", "example.com"] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(text in ".{0,60}") {
            let _ = address(&text);
        }
    }
}
