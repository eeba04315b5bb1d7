//! Path rules: fewer protections or other limits under a prefix.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decode::normalize_pattern;
use crate::protection::{Protection, ProtectionSet};
use crate::seconds;

/// One `[[path_rules]]`: what differs under a prefix. The longest prefix that fits wins.
///
/// ```toml
/// [[path_rules]]
/// prefix = "/myapp/api/"
/// disable = ["header_validation"]
/// rate_limit = { window = 60, max = 2000 }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathRule {
    /// What the path begins with, compared in normal form and without regard to case.
    #[serde(alias = "PREFIX")]
    pub prefix: String,
    /// Protections that don't apply there. Default: none.
    #[serde(default, alias = "DISABLE")]
    pub disable: Vec<Protection>,
    /// Limits that differ there; requests under the prefix are counted apart from the others. Default: none.
    #[serde(default, alias = "RATE_LIMIT", skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimitOverride>,
}

/// Limits that differ under a prefix; what is not given is as in `[rate_limit]`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitOverride {
    /// The window, in seconds.
    #[serde(alias = "WINDOW", with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
    /// Requests in a window.
    #[serde(alias = "MAX", skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Requests in a window from which on it is a flood.
    #[serde(alias = "FLOOD", skip_serializing_if = "Option::is_none")]
    pub flood: Option<u32>,
}

mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    #[allow(clippy::ref_option)] // the signature that serde asks for
    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::seconds::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        super::seconds::deserialize(deserializer).map(Some)
    }
}

/// The rules, compiled.
#[derive(Debug, Default)]
pub(crate) struct PathRules {
    /// Longest prefix first.
    rules: Vec<CompiledRule>,
}

#[derive(Debug)]
pub(crate) struct CompiledRule {
    prefix: Box<[u8]>,
    pub(crate) disable: ProtectionSet,
    /// A number of its own, from 1 on; 0 is "no rule".
    pub(crate) number: u16,
}

impl PathRules {
    pub(crate) fn new(rules: &[PathRule]) -> Self {
        let mut rules: Vec<CompiledRule> = rules
            .iter()
            .zip(1..=u16::MAX)
            .map(|(rule, number)| CompiledRule {
                prefix: normalize_pattern(&rule.prefix),
                disable: rule.disable.iter().copied().collect(),
                number,
            })
            .collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.prefix.len()));
        Self { rules }
    }

    /// The rule with the longest prefix that `path`, in normal form, begins with.
    pub(crate) fn find(&self, path: &[u8]) -> Option<&CompiledRule> {
        self.rules.iter().find(|rule| path.starts_with(&rule.prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        let rule = |prefix: &str| PathRule { prefix: prefix.into(), disable: vec![], rate_limit: None };
        let rules = PathRules::new(&[rule("/myapp/"), rule("/MyApp/api/"), rule("/")]);
        let number = |path: &str| rules.find(path.as_bytes()).map(|rule| rule.number);
        assert_eq!(number("/myapp/api/x"), Some(2));
        assert_eq!(number("/myapp/x"), Some(1));
        assert_eq!(number("/other"), Some(3));
        assert_eq!(number(""), None);
    }
}
