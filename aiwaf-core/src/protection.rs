//! The protections by name, sets of them, and how strict each is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of the cooperating protections.
///
/// The names are the same in code, settings, command line and logs; the class names of the original
/// (`HeaderValidationMiddleware`) are read as aliases.
///
/// ```
/// use aiwaf_core::Protection;
///
/// assert_eq!("rate_limit".parse::<Protection>()?, Protection::RateLimit);
/// assert_eq!("RateLimitMiddleware".parse::<Protection>()?, Protection::RateLimit);
/// let error = "rate_limits".parse::<Protection>().unwrap_err();
/// assert!(error.to_string().contains("did you mean `rate_limit`"));
/// # Ok::<(), aiwaf_core::UnknownProtection>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
#[non_exhaustive]
pub enum Protection {
    /// Banned addresses and words that only attackers ask for.
    IpKeywordBlock,
    /// How many requests a client may make in a window.
    RateLimit,
    /// Forms that are sent faster than a person can type, or without having been loaded.
    Honeypot,
    /// Headers that a browser would send, and agents that no person uses.
    HeaderValidation,
    /// Countries that may not enter.
    GeoBlock,
    /// Behaviour that differs from that of the others, judged over minutes and by a model.
    AiAnomaly,
    /// Identifiers that are no UUIDs, or that are being guessed.
    UuidTamper,
    /// The access, error and security logs.
    Logging,
    /// Attacks in what a request says: injection, scripting, traversal and the like.
    AttackSignatures,
}

impl Protection {
    /// All of them, in the order in which they are asked: cheapest first.
    pub const ALL: [Self; 9] = [
        Self::IpKeywordBlock,
        Self::RateLimit,
        Self::GeoBlock,
        Self::HeaderValidation,
        Self::UuidTamper,
        Self::Honeypot,
        Self::AiAnomaly,
        Self::AttackSignatures,
        Self::Logging,
    ];

    /// The name, as it stands in settings and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IpKeywordBlock => "ip_keyword_block",
            Self::RateLimit => "rate_limit",
            Self::Honeypot => "honeypot",
            Self::HeaderValidation => "header_validation",
            Self::GeoBlock => "geo_block",
            Self::AiAnomaly => "ai_anomaly",
            Self::UuidTamper => "uuid_tamper",
            Self::Logging => "logging",
            Self::AttackSignatures => "attack_signatures",
        }
    }

    /// The names of the original's classes for it, accepted wherever a name is.
    pub const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::IpKeywordBlock => &["IPAndKeywordBlockMiddleware", "IpAndKeywordBlockMiddleware"],
            Self::RateLimit => &["RateLimitMiddleware"],
            Self::Honeypot => &["HoneypotTimingMiddleware", "HoneypotMiddleware"],
            Self::HeaderValidation => &["HeaderValidationMiddleware"],
            Self::GeoBlock => &["GeoBlockMiddleware"],
            Self::AiAnomaly => &["AIAnomalyMiddleware", "AiAnomalyMiddleware"],
            Self::UuidTamper => &["UUIDTamperMiddleware", "UuidTamperMiddleware"],
            // The original has none.
            Self::AttackSignatures => &[],
            Self::Logging => &["AIWAFLoggingMiddleware", "AIWAFLoggerMiddleware", "LoggingMiddleware"],
        }
    }

    /// What it does, in one line.
    pub const fn description(self) -> &'static str {
        match self {
            Self::IpKeywordBlock => "Blocks malicious IPs and detects attack keywords",
            Self::RateLimit => "Protects against brute force and denial of service",
            Self::Honeypot => "Detects automated form submissions",
            Self::HeaderValidation => "Validates HTTP headers for signs of automation",
            Self::GeoBlock => "Blocks requests by country code",
            Self::AiAnomaly => "Analyses behaviour with a model and thresholds",
            Self::UuidTamper => "Protects against manipulated and guessed UUIDs",
            Self::Logging => "Logs requests, errors and security events",
            Self::AttackSignatures => {
                "Inspects requests for injection, scripting, traversal and other attacks"
            }
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Protection> for &'static str {
    fn from(protection: Protection) -> Self {
        protection.name()
    }
}

impl FromStr for Protection {
    type Err = UnknownProtection;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim();
        Self::ALL
            .into_iter()
            .find(|protection| protection.name() == wanted || protection.aliases().contains(&wanted))
            .ok_or_else(|| UnknownProtection { name: wanted.chars().take(64).collect() })
    }
}

impl TryFrom<String> for Protection {
    type Error = UnknownProtection;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A name that is no protection's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownProtection {
    name: String,
}

impl fmt::Display for UnknownProtection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown protection {:?}", self.name)?;
        let names = Protection::ALL.map(Protection::name);
        if let Some(close) = crate::suggest::closest(&self.name, names) {
            write!(f, ", did you mean `{close}`?")?;
        }
        write!(f, " (there are: {})", names.join(", "))
    }
}

impl std::error::Error for UnknownProtection {}

/// A set of protections; copying and asking cost a machine word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ProtectionSet(u16);

impl ProtectionSet {
    /// No protection.
    pub const EMPTY: Self = Self(0);

    /// Every protection.
    pub const ALL: Self = {
        let mut bits = 0;
        let mut index = 0;
        while index < Protection::ALL.len() {
            bits |= Protection::ALL[index].bit();
            index += 1;
        }
        Self(bits)
    };

    /// Whether `protection` is in the set.
    pub const fn contains(self, protection: Protection) -> bool {
        self.0 & protection.bit() != 0
    }

    /// The set with `protection` in it.
    #[must_use]
    pub const fn with(self, protection: Protection) -> Self {
        Self(self.0 | protection.bit())
    }

    /// The set without `protection`.
    #[must_use]
    pub const fn without(self, protection: Protection) -> Self {
        Self(self.0 & !protection.bit())
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this one and not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, in the order in which they are asked.
    pub fn iter(self) -> impl Iterator<Item = Protection> {
        Protection::ALL.into_iter().filter(move |protection| self.contains(*protection))
    }
}

impl FromIterator<Protection> for ProtectionSet {
    fn from_iter<I: IntoIterator<Item = Protection>>(protections: I) -> Self {
        protections.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for ProtectionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Protection::name)).finish()
    }
}

/// SEED's ready-made selections (its "Middleware Selection Guide").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Preset {
    /// Essential protection at the least cost: ip_keyword_block, rate_limit, logging.
    Minimal,
    /// What most services want: minimal, header_validation and ai_anomaly.
    Standard,
    /// Every protection: the default.
    Maximum,
    /// Behaviour before lists: ai_anomaly, rate_limit, header_validation, logging.
    AiFocused,
    /// An API that only programs call: everything but honeypot, which judges forms of pages, and header_validation, which
    /// judges headers of browsers.
    Api,
}

impl Preset {
    /// The protections that this preset selects.
    pub const fn protections(self) -> ProtectionSet {
        let base = ProtectionSet::EMPTY.with(Protection::RateLimit).with(Protection::Logging);
        let modern = base.with(Protection::HeaderValidation).with(Protection::AiAnomaly);
        match self {
            Self::Minimal => base.with(Protection::IpKeywordBlock),
            Self::Standard => modern.with(Protection::IpKeywordBlock),
            Self::Maximum => ProtectionSet::ALL,
            Self::AiFocused => modern,
            Self::Api => {
                ProtectionSet::ALL.without(Protection::Honeypot).without(Protection::HeaderValidation)
            }
        }
    }
}

/// How strict a protection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It does not run.
    Off,
    /// It runs and its hits are counted and logged, but no client can notice: nothing is denied, nobody is banned.
    Monitor,
    /// Its hits deny requests and may ban clients.
    #[default]
    Enforce,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_alias_reads_back() {
        for protection in Protection::ALL {
            assert_eq!(protection.name().parse(), Ok(protection));
            for alias in protection.aliases() {
                assert_eq!(alias.parse(), Ok(protection));
            }
            assert!(ProtectionSet::ALL.contains(protection));
        }
        assert_eq!(ProtectionSet::ALL.iter().count(), 9);
    }

    #[test]
    fn presets_are_those_of_the_guide() {
        let names = |preset: Preset| preset.protections().iter().map(Protection::name).collect::<Vec<_>>();
        assert_eq!(names(Preset::Minimal), ["ip_keyword_block", "rate_limit", "logging"]);
        assert_eq!(
            names(Preset::Standard),
            ["ip_keyword_block", "rate_limit", "header_validation", "ai_anomaly", "logging"]
        );
        assert_eq!(names(Preset::AiFocused), ["rate_limit", "header_validation", "ai_anomaly", "logging"]);
        assert_eq!(
            names(Preset::Api),
            [
                "ip_keyword_block",
                "rate_limit",
                "geo_block",
                "uuid_tamper",
                "ai_anomaly",
                "attack_signatures",
                "logging"
            ]
        );
        assert_eq!(Preset::Maximum.protections(), ProtectionSet::ALL);
    }
}
