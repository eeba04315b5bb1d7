//! What may be said of a URL, and what is added to it.

/// The database without user, password and options, for messages.
pub(super) fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    // The last `@`, for a password may hold one although it should not.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let place = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, database) = place.split_once('/').unwrap_or((place, ""));
    // Without an `@`, what is no port may be a password.
    let host = match host.rsplit_once(':') {
        Some((name, port)) if !port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(']') => name,
        _ => host,
    };
    format!("postgres://{host}/{database}")
}

/// The message with every part of the password masked, even if it is written where it does not belong.
pub(super) fn without_password(message: &str, url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
    let password = user.split_once(':').map_or("", |(_, password)| password);
    let option =
        rest.split(['?', '&']).find_map(|option| option.strip_prefix("password=")).unwrap_or_default();
    let mut message = message.to_owned();
    for part in password.split(['@', ':', '/', '?', '#', '&', '=']).chain([password, option]) {
        // Shorter ones would garble the message, and tell nothing.
        if part.len() > 2 {
            message = message.replace(part, "***");
        }
    }
    message
}

/// The URL with what is not set in it: a server that does not answer is given up soon, and can see who asks.
pub(super) fn with_defaults(url: &str) -> String {
    let mut url = url.to_owned();
    for (option, value) in [
        ("connect_timeout", "5"),
        ("keepalives_idle", "10"),
        ("keepalives_interval", "5"),
        ("keepalives_count", "3"),
        ("tcp_user_timeout", "15000"),
        ("fallback_application_name", "aiwaf"),
    ] {
        if !url.contains(&format!("{option}=")) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(option);
            url.push('=');
            url.push_str(value);
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_no_password() {
        for (url, expected) in [
            ("postgres://localhost/aiwaf", "postgres://localhost/aiwaf"),
            (
                "postgresql://user:secret@db.example:5433/aiwaf?sslmode=require",
                "postgres://db.example:5433/aiwaf",
            ),
            ("postgres://user:sec@ret/x@[::1]:5432/aiwaf", "postgres://[::1]:5432/aiwaf"),
            ("postgres://user:sec?ret@host/aiwaf", "postgres://host/aiwaf"),
            ("postgres://user:secret/aiwaf", "postgres://user/aiwaf"),
            ("postgres://[::1]", "postgres://[::1]/"),
            ("postgres:///aiwaf?host=/run/postgresql&password=secret", "postgres:///aiwaf"),
        ] {
            assert_eq!(place(url), expected);
        }
    }

    #[test]
    fn messages_have_no_password() {
        for url in ["postgres://user:sec@ret@host/db", "postgres://host/db?sslmode=x&password=secret"] {
            let message = without_password("host \"ret@host\" or \"sec\" or \"secret\" is wrong", url);
            assert!(!message.contains("secret") && message.contains("is wrong"), "{message}");
        }
        let message = without_password("invalid port \"secret\"", "postgres://user:secret/more@host/db");
        assert_eq!(message, "invalid port \"***\"");
    }

    #[test]
    fn defaults_yield_to_the_url() {
        let url = with_defaults("postgres://host/db?connect_timeout=60");
        assert!(url.starts_with("postgres://host/db?connect_timeout=60&keepalives_idle=10&"), "{url}");
        assert_eq!(url.matches("connect_timeout").count(), 1);
        assert!(with_defaults("postgres://host/db").starts_with("postgres://host/db?connect_timeout=5&"));
    }
}
