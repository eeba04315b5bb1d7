//! To whom an answer refers.

use super::client::Server;

/// The server to which an answer refers, if it does: by IANA's `refer:` and `whois:`, ARIN's `ReferralServer:`, or a
/// registry's `Registrar WHOIS Server:`.
pub(super) fn find(answer: &str) -> Option<Server> {
    let fields = answer.lines().filter_map(|line| {
        let (name, value) = line.trim().split_once(':')?;
        Some((name.trim(), value.trim()))
    });
    let value = fields.clone().find_map(|(name, value)| {
        let is_referral = NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
        (is_referral && !value.is_empty()).then_some(value)
    })?;
    let value = value.strip_prefix("whois://").unwrap_or(value);
    // `rwhois://` and web pages are other protocols.
    if value.contains("://") {
        return None;
    }
    Server::parse(value.trim_end_matches('/'))
}

const NAMES: [&str; 5] = ["refer", "whois", "ReferralServer", "Registrar WHOIS Server", "Whois Server"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn referrals_are_found() {
        for (answer, server) in [
            ("% IANA\n\nrefer:        whois.ripe.net\n\ninetnum: 193.0.0.0\n", Some("whois.ripe.net")),
            ("domain: COM\nwhois:        whois.verisign-grs.com\n", Some("whois.verisign-grs.com")),
            ("ReferralServer:  whois://whois.apnic.net\n", Some("whois.apnic.net")),
            ("ReferralServer:  rwhois://rwhois.example:4321\n", None),
            ("   Registrar WHOIS Server: whois.example.com\r\n", Some("whois.example.com")),
            ("refer:\nwhois: bad host\n", None),
            ("inetnum: 203.0.113.0\n", None),
            ("refer: 127.0.0.1:9999", Some("127.0.0.1:9999")),
        ] {
            assert_eq!(find(answer).map(|server| server.to_string()).as_deref(), server, "{answer}");
        }
    }
}
