//! The protections by name, sets of them, and how strict each is.

use std::fmt;
use std::str::FromStr;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

/// Generates [`Protection`] and what is known of each from the registration table of the detectors.
macro_rules! define_protections {
    ($($variant:ident $name:ident ($detector:ident, $settings:ident)
        presets [$($preset:ident)*] aliases [$($alias:literal)*] $description:literal;)*) => {
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
            $(#[doc = $description] $variant,)*
            /// Logs requests, errors and security events.
            Logging,
            /// A protection of the service itself, made by [`Protection::custom`].
            Custom(CustomProtection),
        }

        impl Protection {
            /// The built-in protections, in the order in which they run: cheapest first.
            pub const ALL: [Self; BUILT_IN] = [$(Self::$variant,)* Self::Logging];

            /// The name, as it stands in settings and logs.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($name),)*
                    Self::Logging => "logging",
                    Self::Custom(custom) => custom.name(),
                }
            }

            /// The names of the original's classes for it, accepted wherever a name is.
            pub const fn aliases(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant => &[$($alias),*],)*
                    Self::Logging => {
                        &["AIWAFLoggingMiddleware", "AIWAFLoggerMiddleware", "LoggingMiddleware"]
                    }
                    Self::Custom(_) => &[],
                }
            }

            /// A description of one line.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $description,)*
                    Self::Logging => "Logs requests, errors and security events",
                    Self::Custom(custom) => custom.description(),
                }
            }

            /// Its place among all, below 32: the built-in ones first, in the order of [`Protection::ALL`].
            pub(crate) const fn index(self) -> usize {
                match self {
                    $(Self::$variant => Position::$variant as usize,)*
                    Self::Logging => Position::Logging as usize,
                    Self::Custom(CustomProtection(number)) => BUILT_IN + number as usize,
                }
            }
        }

        enum Position { $($variant,)* Logging }

        /// Number of built-in protections.
        const BUILT_IN: usize = Position::Logging as usize + 1;

        impl Preset {
            /// The protections that this preset selects.
            pub fn protections(self) -> ProtectionSet {
                if self == Self::Maximum {
                    return ProtectionSet::ALL;
                }
                let mut selected = ProtectionSet::EMPTY.with(Protection::Logging);
                $($(if self == Self::$preset {
                    selected = selected.with(Protection::$variant);
                })*)*
                selected
            }
        }
    };
}

for_each_detector!(define_protections);

/// A protection of the service itself: a name that was registered with [`Protection::custom`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomProtection(u8);

/// Maximum number of protections, built-in ones included.
const MAX_PROTECTIONS: usize = 32;

/// The names and descriptions of custom protections, in the order of their registration. They are few, registered when a
/// service starts, and stay as long as it runs.
static CUSTOM: RwLock<Vec<(&'static str, &'static str)>> = RwLock::new(Vec::new());

impl CustomProtection {
    fn name(self) -> &'static str {
        CUSTOM.read().get(usize::from(self.0)).map_or("custom", |(name, _)| name)
    }

    fn description(self) -> &'static str {
        CUSTOM.read().get(usize::from(self.0)).map_or("", |(_, description)| description)
    }
}

impl Protection {
    /// Registers a protection of the service itself under a name like `bot_trap`: lower-case letters, digits and
    /// underscores, at most 32. The same name gives the same protection.
    ///
    /// Call it before settings are read that use the name, and give the protection a
    /// [`Detector`](crate::Detector) with [`EngineBuilder::detector`](crate::EngineBuilder::detector).
    ///
    /// # Errors
    /// [`InvalidProtection`] for another name, one of a built-in protection, or more than 23 protections.
    pub fn custom(name: &'static str, description: &'static str) -> Result<Self, InvalidProtection> {
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_taken = Self::ALL.into_iter().any(|built_in| built_in.name() == name);
        if name.is_empty() || name.len() > 32 || !name.bytes().all(is_word) || is_taken {
            return Err(InvalidProtection::Name { name });
        }
        let mut custom = CUSTOM.write();
        let number = custom.iter().position(|(known, _)| *known == name).unwrap_or(custom.len());
        if number == custom.len() {
            if BUILT_IN + number >= MAX_PROTECTIONS {
                return Err(InvalidProtection::TooMany { name });
            }
            custom.push((name, description));
        }
        Ok(Self::Custom(CustomProtection(u8::try_from(number).unwrap_or(u8::MAX))))
    }

    /// The custom protections that were registered so far.
    pub(crate) fn registered() -> Vec<Self> {
        let count = CUSTOM.read().len();
        (0..u8::try_from(count).unwrap_or(u8::MAX))
            .map(|number| Self::Custom(CustomProtection(number)))
            .collect()
    }

    const fn bit(self) -> u32 {
        1 << self.index()
    }
}

/// A custom protection that can't be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProtection {
    /// A name that is malformed, or that a built-in protection has.
    #[error(
        "invalid name {name:?} for a protection: expected 1 to 32 lower-case letters, digits and underscores that no \
         built-in protection has"
    )]
    Name {
        /// The name.
        name: &'static str,
    },
    /// All places are taken.
    #[error("no room for the protection {name:?}: at most 23 custom protections can be registered")]
    TooMany {
        /// The name.
        name: &'static str,
    },
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
            .chain(Self::registered())
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
        let names: Vec<_> =
            Protection::ALL.into_iter().chain(Protection::registered()).map(Protection::name).collect();
        if let Some(close) = crate::suggest::closest(&self.name, names.iter().copied()) {
            write!(f, ", did you mean `{close}`?")?;
        }
        write!(f, " (there are: {})", names.join(", "))
    }
}

impl std::error::Error for UnknownProtection {}

/// A set of protections; copying and asking cost a machine word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ProtectionSet(u32);

impl ProtectionSet {
    /// No protection.
    pub const EMPTY: Self = Self(0);

    /// Every built-in protection.
    pub const ALL: Self = Self((1 << BUILT_IN) - 1);

    /// Every protection, custom ones included.
    pub(crate) const EVERY: Self = Self(u32::MAX);

    /// The protections of the service itself.
    pub(crate) const CUSTOM: Self = Self(u32::MAX << BUILT_IN);

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

    /// Its members in the order in which they run; of custom ones, those that are registered.
    pub fn iter(self) -> impl Iterator<Item = Protection> {
        let custom = if self.0 >> BUILT_IN == 0 { Vec::new() } else { Protection::registered() };
        Protection::ALL.into_iter().chain(custom).filter(move |protection| self.contains(*protection))
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
    fn custom_protection_is_registered_once_by_its_name() {
        let custom = Protection::custom("test_only", "For this test").unwrap();
        assert_eq!(Protection::custom("test_only", "again"), Ok(custom));
        assert_eq!("test_only".parse(), Ok(custom));
        assert_eq!((custom.name(), custom.description()), ("test_only", "For this test"));
        assert!(ProtectionSet::EVERY.contains(custom) && !ProtectionSet::ALL.contains(custom));
        let set = ProtectionSet::EMPTY.with(custom);
        assert_eq!(set.iter().collect::<Vec<_>>(), [custom]);
        for name in ["", "rate_limit", "Bot", "bot-trap", "a b"] {
            assert!(Protection::custom(name, "").is_err(), "{name}");
        }
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
