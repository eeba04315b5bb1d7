//! Formats of servers that can be described as nginx describes its own.

use std::sync::LazyLock;

use super::line_parser::LineFormat;
use super::pattern::LogPattern;

/// Name and pattern. Who asked never comes from a header that clients send.
const PATTERNS: [(&str, &str); 4] = [
    // Application load balancers of AWS: type, time, balancer, client, target, three times, two statuses, two lengths.
    (
        "aws-alb",
        r#"$type $time_iso8601 $elb $remote_addr $target $a $b $c $status $target_status $received $body_bytes_sent "$request" "$http_user_agent""#,
    ),
    // The HTTP log of HAProxy: client, time, frontend, backend/server, timers, status, length, ...
    (
        "haproxy",
        r#"$remote_addr [$time_local] $frontend $backend $timers $status $body_bytes_sent $cookie $set_cookie $state $connections $queues "$request""#,
    ),
    (
        "nginx-proxy-manager",
        r#"[$time_local] $cache $upstream_status $status - $request_method $scheme $host "$request_uri" [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] [Sent-to $server] "$http_user_agent" "$http_referer""#,
    ),
    (
        "zoraxy",
        r"$date $clock [$time_iso8601] [router:$router] [origin:$origin] [client: $remote_addr] [useragent: $http_user_agent] $request_method $request_uri $status",
    ),
];

/// How the same server writes what it answers itself.
const ALTERNATIVES: [(&str, &str); 1] = [(
    "nginx-proxy-manager",
    r#"[$time_local] $status - $request_method $scheme $host "$request_uri" [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] "$http_user_agent" "$http_referer""#,
)];

static PARSED: LazyLock<Vec<(&'static str, LogPattern)>> = LazyLock::new(|| {
    PATTERNS
        .iter()
        .filter_map(|(name, pattern)| {
            let pattern: LogPattern = pattern.parse().ok()?;
            let alternative = ALTERNATIVES.iter().find(|(known, _)| known == name);
            Some((
                *name,
                match alternative {
                    Some((_, alternative)) => pattern.or(alternative.parse().ok()?),
                    None => pattern,
                },
            ))
        })
        .collect()
});

/// All of them.
pub(super) fn formats() -> impl Iterator<Item = LineFormat> {
    PARSED.iter().map(|(_, pattern)| LineFormat::Pattern(pattern.clone()))
}

/// The name of a pattern that is one of them.
pub(super) fn name_of(pattern: &LogPattern) -> Option<&'static str> {
    PARSED.iter().find(|(_, known)| known == pattern).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_log::LineParser;

    #[test]
    fn all_are_patterns_and_have_names() {
        let names: Vec<_> = formats().map(|format| format.name()).collect();
        assert_eq!(names, PATTERNS.map(|(name, _)| name));
    }

    #[test]
    fn lines_are_read() {
        for (line, client, target) in [
            (
                r#"h2 2023-04-26T12:23:00.186641Z app/x/y 192.0.2.7:44740 - -1 -1 -1 404 - 0 57 "GET https://a.example:443/x HTTP/2.0" "curl" - -"#,
                "192.0.2.7",
                "https://a.example:443/x",
            ),
            (
                r#"[14/Sep/2025:15:02:41 +0000] - 404 404 - GET https a.example "/x y" [Client 192.0.2.7] [Length 150] [Gzip -] [Sent-to 10.0.0.1] "curl" "-""#,
                "192.0.2.7",
                "/x y",
            ),
            (
                r#"[14/Sep/2025:15:02:41 +0000] 404 - GET https a.example "/x" [Client 192.0.2.7] [Length 0] [Gzip -] "curl" "-""#,
                "192.0.2.7",
                "/x",
            ),
            (
                r#"192.0.2.7:4711 [14/Sep/2025:15:02:41.127] in out/a 1/2/3/4/5 404 739 - - --NN 0/0/0/0/0 0/0 "GET /x HTTP/1.1""#,
                "192.0.2.7",
                "/x",
            ),
            (
                "2025/09/14 15:02:41 [2025-09-14 15:02:41.150624] [router:host-http] [origin:a.example] [client: 192.0.2.7] [useragent: x y] GET /x 404",
                "192.0.2.7",
                "/x",
            ),
        ] {
            let mut parser = LineParser::detect(&[line.as_bytes()]).unwrap_or_else(|| panic!("{line}"));
            let record = parser.parse(line.as_bytes()).unwrap().unwrap();
            assert_eq!((record.client.to_string().as_str(), record.status), (client, 404), "{line}");
            assert_eq!(&*record.target, target.as_bytes(), "{line}");
        }
    }
}
