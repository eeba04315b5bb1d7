//! Whether settings make sense together.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Settings;
use crate::detect::attack_signatures::SignatureExclusion;
use crate::lists::MAX_KEYWORD;
use crate::policy::MAX_PATTERN;
use crate::protection::Protection;

/// A setting that can't be used: its key, its value, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A value outside of what is allowed.
    #[error("{key} = {value} is not allowed: give {allowed}")]
    Value {
        /// The setting, such as `rate_limit.max`.
        key: String,
        /// What it was set to.
        value: String,
        /// What it may be set to.
        allowed: String,
    },
    /// A text that is no settings file: what is wrong, and where.
    #[error("{source_name}: {message}")]
    Syntax {
        /// The file or variable.
        source_name: String,
        /// What is wrong, with line and column where known.
        message: String,
    },
    /// A variable that begins with `AIWAF_` and means nothing.
    #[error("{name} is no setting{suggestion}")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// `: did you mean ...?`, or nothing.
        suggestion: String,
    },
}

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

        let learned_ttl = self.ip_keyword_block.learned_ttl;
        seconds_within("ip_keyword_block.learned_ttl", learned_ttl, 3600..=365 * day)?;

        let rate = &self.rate_limit;
        seconds_within("rate_limit.window", rate.window, 1..=day)?;
        within("rate_limit.max", rate.max, 1..=100_000)?;
        within("rate_limit.flood", rate.flood, rate.max..=100_000)?;
        within("rate_limit.max_clients", rate.max_clients, 1_000..=100_000_000)?;

        seconds_within("honeypot.min_form_time", self.honeypot.min_form_time, 0..=3600)?;
        seconds_within("honeypot.max_page_time", self.honeypot.max_page_time, 60..=7 * day)?;
        within("honeypot.max_pages", self.honeypot.max_pages, 1_000..=100_000_000)?;

        within("header_validation.min_quality_score", self.header_validation.min_quality_score, 0..=11)?;
        within("geo_block.cache_clients", self.geo_block.cache_clients, 1_000..=100_000_000)?;
        within("uuid_tamper.guess_limit", self.uuid_tamper.guess_limit, 0..=1000)?;
        within("uuid_tamper.max_clients", self.uuid_tamper.max_clients, 1_000..=100_000_000)?;

        let anomaly = &self.ai_anomaly;
        seconds_within("ai_anomaly.window", anomaly.window, 10..=3600)?;
        seconds_within("ai_anomaly.check_interval", anomaly.check_interval, 1..=86_400)?;
        within("ai_anomaly.dynamic_top_n", anomaly.dynamic_top_n, 0..=1000)?;
        within("ai_anomaly.learn_min_clients", anomaly.learn_min_clients, 2..=16)?;
        within("ai_anomaly.max_clients", anomaly.max_clients, 1_000..=100_000_000)?;
        within("ai_anomaly.contamination", anomaly.contamination, 0.0..=0.5)?;

        let signatures = &self.attack_signatures;
        within("attack_signatures.paranoia_level", signatures.paranoia_level, 1..=4)?;
        within("attack_signatures.inbound_threshold", signatures.inbound_threshold, 1..=1000)?;
        within("attack_signatures.max_body_bytes", signatures.max_body_bytes, 1024..=16 * 1024 * 1024)?;
        within("attack_signatures.max_fields", signatures.max_fields, 16..=1_000_000)?;
        within("attack_signatures.max_depth", signatures.max_depth, 4..=200)?;
        within("attack_signatures.max_file_bytes", signatures.max_file_bytes, 0..=1024 * 1024)?;
        for (exclusion, number) in signatures.exclusions.iter().zip(1..) {
            if *exclusion == SignatureExclusion::default() {
                let key = format!("attack_signatures.exclusions[{number}]");
                return Err(value(&key, "{}", "at least one of path, parameter, rule and category"));
            }
        }

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
        let keywords = &self.ip_keyword_block;
        for (key, words) in [
            ("bans.extended_request_info_headers", &self.bans.extended_request_info_headers),
            ("bans.extended_request_info_redact_headers", &self.bans.extended_request_info_redact_headers),
            ("ip_keyword_block.exempt_keywords", &keywords.exempt_keywords),
            ("ip_keyword_block.allowed_path_keywords", &keywords.allowed_path_keywords),
            ("header_validation.suspicious_agents", &self.header_validation.suspicious_agents),
            ("header_validation.allowed_agents", &self.header_validation.allowed_agents),
            ("header_validation.required_headers", &self.header_validation.required_headers),
            ("uuid_tamper.parameters", &self.uuid_tamper.parameters),
        ] {
            for word in words {
                if word.trim().is_empty() || word.len() > MAX_KEYWORD {
                    return Err(value(
                        key,
                        format!("{word:?}"),
                        format!("words of 1 to {MAX_KEYWORD} bytes"),
                    ));
                }
            }
        }
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

fn value(key: &str, value: impl Display, allowed: impl Into<String>) -> SettingsError {
    SettingsError::Value { key: key.to_owned(), value: value.to_string(), allowed: allowed.into() }
}

fn within<T: PartialOrd + Display>(
    key: &str,
    actual: T,
    allowed: RangeInclusive<T>,
) -> Result<(), SettingsError> {
    if allowed.contains(&actual) {
        return Ok(());
    }
    Err(value(key, actual, format!("{} to {}", allowed.start(), allowed.end())))
}

fn seconds_within(key: &str, actual: Duration, allowed: RangeInclusive<u64>) -> Result<(), SettingsError> {
    if (Duration::from_secs(*allowed.start())..=Duration::from_secs(*allowed.end())).contains(&actual) {
        return Ok(());
    }
    Err(value(key, actual.as_secs_f64(), format!("{} to {} seconds", allowed.start(), allowed.end())))
}

#[cfg(test)]
mod tests {
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
            "rate_limit.flood = 50 is not allowed: give 100 to 100000"
        );
        assert_eq!(
            error(|s| s.honeypot.min_form_time = Duration::from_hours(2)),
            "honeypot.min_form_time = 7200 is not allowed: give 0 to 3600 seconds"
        );
        assert!(error(|s| s.exemptions.exempt_paths = Some(vec!["health".into()])).contains("\"health\""));
        assert!(error(|s| s.logging.dir = " ".into()).contains("logging.dir"));
        let everybody = || vec!["::/0".parse().unwrap()];
        assert!(error(|s| s.client.trusted_proxies = everybody()).contains("not everybody's"));
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
