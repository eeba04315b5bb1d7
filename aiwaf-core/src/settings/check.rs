//! Whether settings make sense together.

use super::Settings;
use crate::check::{SettingsError, seconds_within, value, within, words};
use crate::lists::MAX_KEYWORD;
use crate::policy::MAX_PATTERN;
use crate::protection::Protection;

impl Settings {
    /// Checks every value's range and what depends on another value.
    ///
    /// # Errors
    /// The first [`SettingsError`], naming key, value and what is allowed.
    pub fn check(&self) -> Result<(), SettingsError> {
        let day = 86_400;
        within("client.ipv6_prefix", self.client.ipv6_prefix, 16..=128)?;
        if let Some(max_clients) = self.client.max_clients {
            within("client.max_clients", max_clients, 1_000..=100_000_000)?;
        }
        self.check_forwarding()?;
        within("client.max_memory_mib", self.client.max_memory_mib, 16..=65_536)?;
        self.check_custom_protections()?;
        within("bans.threshold", self.bans.threshold, 1.0..=1000.0)?;
        seconds_within("bans.half_life", self.bans.half_life, 1..=day)?;
        seconds_within("bans.window", self.bans.window, 1..=day)?;
        seconds_within("bans.short_duration", self.bans.short_duration, 1..=day)?;
        within("bans.max_automatic", self.bans.max_automatic, 100..=10_000_000)?;
        seconds_within("bans.duration", self.bans.duration, 0..=3650 * day)?;
        seconds_within(
            "bans.max_duration",
            self.bans.max_duration,
            self.bans.duration.as_secs()..=3650 * day,
        )?;
        seconds_within("bans.forgive_after", self.bans.forgive_after, 0..=3650 * day)?;
        let info_bytes = self.bans.extended_request_info_max_bytes;
        within("bans.extended_request_info_max_bytes", info_bytes, 256..=16_384)?;
        for protection in Protection::ALL {
            within(&format!("{protection}.ban_after"), self.ban_after(protection).unwrap_or(0), 0..=1000)?;
        }

        self.check_detectors()?;
        within("logging.rotate_bytes", self.logging.rotate_bytes, 4096..=u64::MAX)?;
        within("logging.keep_files", self.logging.keep_files, 1..=1000)?;
        self.check_texts()?;
        self.check_path_rules()
    }

    /// What is set by name in `[protections]` is that of custom protections: built-in ones have a section.
    fn check_custom_protections(&self) -> Result<(), SettingsError> {
        let protections = &self.protections;
        let named = protections.modes.keys().map(|protection| ("modes", protection));
        for (table, protection) in
            named.chain(protections.ban_after.keys().map(|protection| ("ban_after", protection)))
        {
            if !matches!(protection, Protection::Custom(_)) {
                let allowed = format!("{protection}.{}", table.trim_end_matches('s'));
                return Err(value(&format!("protections.{table}"), protection, allowed));
            }
        }
        for (protection, hits) in &protections.ban_after {
            within(&format!("protections.ban_after.{protection}"), *hits, 0..=1000)?;
        }
        Ok(())
    }

    fn check_forwarding(&self) -> Result<(), SettingsError> {
        let client = &self.client;
        within("client.forwarding_headers", client.forwarding_headers.len(), 1..=16)?;
        within("client.nat64_prefixes", client.nat64_prefixes.len(), 0..=16)?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let invalid = client
            .forwarding_headers
            .iter()
            .find(|name| !(1..=64).contains(&name.len()) || !name.bytes().all(is_token));
        invalid.map_or(Ok(()), |name| {
            Err(value(
                "client.forwarding_headers",
                format!("{name:?}"),
                "names of headers of at most 64 bytes",
            ))
        })
    }

    fn check_texts(&self) -> Result<(), SettingsError> {
        for (key, directory) in
            [("logging.dir", &self.logging.dir), ("storage.data_dir", &self.storage.data_dir)]
        {
            if directory.trim().is_empty() {
                return Err(value(key, format!("{directory:?}"), "the path of a directory"));
            }
        }
        if let Some(everybody) = self.client.trusted_proxies.iter().find(|proxy| proxy.0.prefix_len() == 0) {
            return Err(value(
                "client.trusted_proxies",
                everybody.0,
                "the networks of your proxies, not everybody's",
            ));
        }
        let bans = &self.bans;
        words("bans.extended_request_info_headers", &bans.extended_request_info_headers, MAX_KEYWORD)?;
        let redacted = &bans.extended_request_info_redact_headers;
        words("bans.extended_request_info_redact_headers", redacted, MAX_KEYWORD)?;
        for path in self.exemptions.exempt_paths.iter().flatten() {
            if !(path.starts_with('/') || path.starts_with('*')) || path.len() > MAX_PATTERN {
                let allowed = "paths such as /health, /static/ or *.css";
                return Err(value("exemptions.exempt_paths", format!("{path:?}"), allowed));
            }
        }
        Ok(())
    }

    fn check_path_rules(&self) -> Result<(), SettingsError> {
        if self.path_rules.len() > 1000 {
            return Err(value("path_rules", self.path_rules.len(), "at most 1000 rules"));
        }
        for (rule, number) in self.path_rules.iter().zip(1..) {
            let key = |name: &str| format!("path_rules[{number}].{name}");
            if !rule.prefix.starts_with('/') || rule.prefix.len() > MAX_PATTERN {
                return Err(value(
                    &key("prefix"),
                    format!("{:?}", rule.prefix),
                    "a prefix that begins with `/`",
                ));
            }
            if let Some(limits) = rule.rate_limit {
                let max = limits.max.unwrap_or(self.rate_limit.max);
                within(&key("rate_limit.max"), max, 1..=100_000)?;
                if let Some(flood) = limits.flood {
                    within(&key("rate_limit.flood"), flood, max..=100_000)?;
                }
                if let Some(window) = limits.window {
                    seconds_within(&key("rate_limit.window"), window, 1..=86_400)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::{PathRule, RateLimitOverride};

    fn error(change: impl FnOnce(&mut Settings)) -> String {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_fine() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn errors_name_key_value_and_range() {
        assert_eq!(error(|s| s.rate_limit.max = 0), "rate_limit.max = 0 is not allowed: give 1 to 100000");
        assert_eq!(
            error(|s| s.rate_limit.flood = 50),
            "rate_limit.flood = 50 is not allowed: give 100 to 200000"
        );
        assert_eq!(
            error(|s| s.honeypot.min_form_time = Duration::from_hours(2)),
            "honeypot.min_form_time = 7200 is not allowed: give 0 to 3600 seconds"
        );
        assert!(error(|s| s.exemptions.exempt_paths = Some(vec!["health".into()])).contains("\"health\""));
        assert!(error(|s| s.logging.dir = " ".into()).contains("logging.dir"));
        let everybody = || vec!["::/0".parse().unwrap()];
        assert!(error(|s| s.client.trusted_proxies = everybody()).contains("not everybody's"));
        assert!(error(|s| s.client.forwarding_headers.clear()).contains("client.forwarding_headers"));
        assert!(error(|s| s.client.forwarding_headers = vec!["X Y".into()]).contains("\"X Y\""));
        assert!(error(|s| s.ai_anomaly.contamination = f64::NAN).contains("NaN"));
    }

    #[test]
    fn path_rules_are_checked_by_number() {
        let rule = |prefix: &str, max| PathRule {
            prefix: prefix.into(),
            disable: vec![],
            rate_limit: Some(RateLimitOverride { max: Some(max), ..RateLimitOverride::default() }),
        };
        let text = error(|s| s.path_rules = vec![rule("/a", 5), rule("/b", 0)]);
        assert_eq!(text, "path_rules[2].rate_limit.max = 0 is not allowed: give 1 to 100000");
        assert!(error(|s| s.path_rules = vec![rule("b", 1)]).contains("path_rules[1].prefix"));
    }
}
