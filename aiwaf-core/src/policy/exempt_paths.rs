//! Paths that are exempt from the protections: exact, directories and wildcards.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::decode::normalize_pattern;

/// Exempt paths, compiled. Everything is compared in normal form, so without regard to case.
#[derive(Debug, Default)]
pub(crate) struct ExemptPaths {
    own: Patterns,
    defaults: Patterns,
}

/// How far a path is exempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exemption {
    /// Somebody named this path or directory: only the blacklist still counts.
    Full,
    /// It looks like a file that every site has (a default, or a wildcard): keywords and attack signatures still count, so
    /// that neither `/wp-login.php/x.css` nor `/x.css?q=<script>` passes for a style sheet.
    Asset,
}

/// The patterns are the operator's, so no attacker can fill a set with collisions.
type PatternSet = HashSet<Box<[u8]>, RandomState>;

#[derive(Debug, Default)]
struct Patterns {
    exact: PatternSet,
    /// With the slash at the end.
    directories: PatternSet,
    longest_directory: usize,
    /// The part after the dot of patterns such as `*.css`.
    extensions: PatternSet,
    wildcards: Vec<Box<[u8]>>,
}

/// Files, folders and endpoints that every site has, and that are asked for whether they exist or not.
const DEFAULTS: &[&str] = &[
    // Search engines and crawlers
    "/favicon.ico",
    "/robots.txt",
    "/sitemap.xml",
    "/sitemap.txt",
    "/ads.txt",
    "/app-ads.txt",
    "/security.txt",
    "/humans.txt",
    // Phones and tablets
    "/apple-touch-icon.png",
    "/apple-touch-icon-precomposed.png",
    "/manifest.json",
    "/site.webmanifest",
    "/browserconfig.xml",
    "/service-worker.js",
    // Health checks and monitoring: exact paths, because /health/patients may be a page of a clinic
    "/health",
    "/health/check",
    "/health/live",
    "/health/liveness",
    "/health/ping",
    "/health/readiness",
    "/health/ready",
    "/health/startup",
    "/health/status",
    "/healthcheck",
    "/healthz",
    "/livez",
    "/ping",
    "/ready",
    "/readyz",
    "/status",
    "/up",
    "/actuator/health",
    "/actuator/health/liveness",
    "/actuator/health/readiness",
    // Well-known addresses: certificates, security policies
    "/.well-known/",
    // Static files
    "*.css",
    "*.js",
    "*.mjs",
    "*.map",
    "*.png",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.svg",
    "*.ico",
    "*.webp",
    "*.avif",
    "*.bmp",
    "*.woff",
    "*.woff2",
    "*.ttf",
    "*.eot",
    "*.otf",
    "*.mp4",
    "*.webm",
    "*.mp3",
    "*.ogg",
    "*.pdf",
    // Static folders
    "/static/",
    "/assets/",
    "/css/",
    "/js/",
    "/images/",
    "/img/",
    "/fonts/",
];

/// Maximum length of an exempt path or a prefix in bytes.
pub const MAX_PATTERN: usize = 1024;

/// So many folders deep a path is looked for among the directories.
const MAX_DEPTH: usize = 32;

impl ExemptPaths {
    /// From the configured paths (`None` is: no choice made, take the defaults) and those on the list.
    pub(crate) fn new<'l>(
        configured: Option<&'l [String]>,
        listed: impl IntoIterator<Item = &'l str>,
    ) -> Self {
        let mut own = Patterns::default();
        for pattern in configured.unwrap_or_default().iter().map(String::as_str).chain(listed) {
            own.add(pattern);
        }
        let mut defaults = Patterns::default();
        if configured.is_none() {
            for pattern in DEFAULTS {
                defaults.add(pattern);
            }
        }
        Self { own, defaults }
    }

    /// How far `path`, in normal form, is exempt.
    pub(crate) fn find(&self, path: &[u8]) -> Option<Exemption> {
        if self.own.names(path) {
            Some(Exemption::Full)
        } else if self.own.looks_like(path) || self.defaults.names(path) || self.defaults.looks_like(path) {
            Some(Exemption::Asset)
        } else {
            None
        }
    }
}

impl Patterns {
    fn add(&mut self, pattern: &str) {
        let pattern = normalize_pattern(pattern.trim());
        if pattern.is_empty() || pattern.len() > MAX_PATTERN {
            return;
        }
        if let Some(extension) = pattern.strip_prefix(b"*.")
            && !extension.iter().any(|byte| matches!(byte, b'*' | b'/' | b'.'))
        {
            self.extensions.insert(extension.into());
        } else if pattern.contains(&b'*') {
            self.wildcards.push(pattern);
        } else if pattern.ends_with(b"/") && pattern.len() > 1 {
            self.longest_directory = self.longest_directory.max(pattern.len());
            self.directories.insert(pattern);
        } else {
            self.exact.insert(pattern);
        }
    }

    /// Whether the path itself or a directory that it is in is named.
    fn names(&self, path: &[u8]) -> bool {
        if !self.exact.is_empty() && self.exact.contains(path) {
            return true;
        }
        if self.directories.is_empty() {
            return false;
        }
        let within = path.get(..self.longest_directory).unwrap_or(path);
        within.iter().enumerate().filter(|(_, byte)| **byte == b'/').skip(1).take(MAX_DEPTH).any(
            |(slash, _)| within.get(..=slash).is_some_and(|directory| self.directories.contains(directory)),
        )
    }

    /// Whether a wildcard fits the path.
    fn looks_like(&self, path: &[u8]) -> bool {
        if self.extensions.is_empty() && self.wildcards.is_empty() {
            return false;
        }
        let name_start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let name = path.get(name_start..).unwrap_or_default();
        let extension = name.iter().rposition(|&byte| byte == b'.').and_then(|dot| name.get(dot + 1..));
        extension.is_some_and(|extension| self.extensions.contains(extension))
            || self.wildcards.iter().any(|pattern| wildcard_fits(pattern, path))
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any bytes and everything else for itself.
///
/// Greedy with one step back to the last `*`; takes at most `pattern.len() * text.len()` steps.
fn wildcard_fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p).is_some() && pattern.get(p) == text.get(t) {
            p += 1;
            t += 1;
        } else if let Some((after_star, from)) = star {
            star = Some((after_star, from + 1));
            p = after_star;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(paths: &ExemptPaths, path: &str) -> Option<Exemption> {
        paths.find(path.as_bytes())
    }

    #[test]
    fn defaults_are_assets() {
        let paths = ExemptPaths::new(None, []);
        for path in
            ["/favicon.ico", "/health", "/.well-known/acme-challenge/x", "/a/b.css", "/static/x", "/js/app"]
        {
            assert_eq!(find(&paths, path), Some(Exemption::Asset), "{path}");
        }
        for path in
            ["/", "/login", "/healthy", "/statics/x", "/a.css/b", "/x/static", "/admin.phpxcss", "/css"]
        {
            assert_eq!(find(&paths, path), None, "{path}");
        }
    }

    #[test]
    fn probe_paths_are_exact() {
        let paths = ExemptPaths::new(None, []);
        for path in [
            "/livez",
            "/readyz",
            "/ready",
            "/up",
            "/healthz",
            "/health/live",
            "/health/ready",
            "/actuator/health",
            "/actuator/health/liveness",
        ] {
            assert_eq!(find(&paths, path), Some(Exemption::Asset), "{path}");
        }
        for path in [
            "/upload",
            "/up/x",
            "/readyz/x",
            "/health/patients",
            "/ready-made",
            "/healthy/x",
            "/actuator",
            "/actuator/env",
            "/actuator/healthx",
        ] {
            assert_eq!(find(&paths, path), None, "{path}");
        }
    }

    #[test]
    fn configured_paths_replace_the_defaults_and_listed_ones_add() {
        let configured = ["/API/Health".to_owned(), "*.report".to_owned(), "/a*/x".to_owned()];
        let paths = ExemptPaths::new(Some(&configured), ["/Hooks/"]);
        for (path, expected) in [
            ("/api/health", Some(Exemption::Full)),
            ("/hooks/1/2", Some(Exemption::Full)),
            ("/q3.report", Some(Exemption::Asset)),
            ("/ab/c/x", Some(Exemption::Asset)),
            ("/favicon.ico", None),
            ("/hooks", None),
        ] {
            assert_eq!(find(&paths, path), expected, "{path}");
        }
    }

    #[test]
    fn hostile_depth_costs_little() {
        let paths = ExemptPaths::new(None, []);
        assert_eq!(find(&paths, &"/".repeat(65_536)), None);
    }

    proptest! {
        #[test]
        fn wildcards_agree_with_a_plain_definition(pattern in "[ab*]{0,6}", text in "[ab]{0,8}") {
            fn fits(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|skip| fits(rest, &text[skip..])),
                    Some((byte, rest)) => text.first() == Some(byte) && fits(rest, &text[1..]),
                }
            }
            prop_assert_eq!(
                wildcard_fits(pattern.as_bytes(), text.as_bytes()),
                fits(pattern.as_bytes(), text.as_bytes())
            );
        }
    }
}
