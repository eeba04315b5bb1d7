//! Settings: one typed tree, as a person types it, checked before anything runs on it.

mod check;
#[cfg(feature = "toml")]
mod load;

pub use crate::check::SettingsError;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::access_log::LogFormat;
use crate::bans::BanSettings;
use crate::bots::BotSettings;
use crate::client::{ClientKey, Nat64Prefix, canonical_by};
use crate::policy::PathRule;
use crate::protection::{Mode, Preset, Protection, ProtectionSet};
use crate::secret_names::SecretNames;

/// Generates [`Settings`] with a section for each row of the registration table of the detectors.
macro_rules! define_settings {
    ($($variant:ident $name:ident ($detector:ident, $settings:ident)
        presets [$($preset:ident)*] aliases [$($alias:literal)*] $description:literal;)*) => {
        /// Everything that can be set, section by section as in `aiwaf.toml`.
        ///
        /// Every section has defaults, so `Settings::default()` is a complete and sensible choice.
        ///
        /// ```
        /// use aiwaf_core::Settings;
        ///
        /// let settings = Settings::default();
        /// assert_eq!(settings.rate_limit.max, 100);
        /// assert!(settings.check().is_ok());
        /// ```
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        #[non_exhaustive]
        pub struct Settings {
            /// `[protections]`: which protections run.
            pub protections: ProtectionSettings,
            /// `[client]`: how clients are told apart and remembered.
            pub client: ClientSettings,
            /// `[storage]`: where the lists are stored.
            pub storage: StorageSettings,
            /// `[bans]`: how evidence adds up to bans.
            pub bans: BanSettings,
            /// `[exemptions]`: which paths are exempt.
            pub exemptions: ExemptionSettings,
            $(
                #[doc = concat!("`[", stringify!($name), "]`. ", $description, ".")]
                pub $name: crate::detect::settings::$settings,
            )*
            /// `[bots]`: what each class of automatic clients may do.
            pub bots: BotSettings,
            /// `[logging]`: what is logged, where and how.
            pub logging: LoggingSettings,
            /// `[[path_rules]]`: what differs under a prefix.
            pub path_rules: Vec<PathRule>,
        }

        impl Settings {
            /// Checks the sections of the detectors.
            fn check_detectors(&self) -> Result<(), SettingsError> {
                $(self.$name.check()?;)*
                Ok(())
            }

            fn section(&self, protection: Protection) -> Option<Section> {
                match protection {
                    $(Protection::$variant => {
                        Some(Section { mode: self.$name.mode, ban_after: self.$name.ban_after })
                    })*
                    Protection::Logging | Protection::Custom(_) => None,
                }
            }

            fn set_section_mode(&mut self, protection: Protection, mode: Mode) {
                match protection {
                    $(Protection::$variant => self.$name.mode = mode,)*
                    Protection::Logging | Protection::Custom(_) => {}
                }
            }
        }
    };
}

for_each_detector!(define_settings);

/// `[protections]`: which protections run, unless their own `mode` is off.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectionSettings {
    /// A ready-made selection: minimal, standard, maximum, ai_focused or api. Default: none, which is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// If not empty, only these run (`AIWAF_MIDDLEWARES`). Default: empty.
    pub enabled: Vec<Protection>,
    /// These don't run (`AIWAF_DISABLE_MIDDLEWARES`). Default: empty.
    pub disabled: Vec<Protection>,
    /// Modes of the service's own protections, by name; built-in ones have a section with a `mode`. Default: enforce.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub modes: BTreeMap<Protection, Mode>,
    /// Number of matches within `bans.window` after which a protection of the service's own bans the client, by name; 0
    /// never bans. Default: not set, which is by the evidence of its findings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ban_after: BTreeMap<Protection, u32>,
}

impl ProtectionSettings {
    /// What runs by these settings alone.
    pub fn selected(&self) -> ProtectionSet {
        let chosen = if self.enabled.is_empty() {
            // A service's own protections are there because it wants them.
            self.preset.map_or(ProtectionSet::ALL, Preset::protections).union(ProtectionSet::CUSTOM)
        } else {
            self.enabled.iter().copied().collect()
        };
        chosen.difference(self.disabled.iter().copied().collect())
    }
}

/// `[client]`: who counts as the client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSettings {
    /// Networks of proxies whose forwarding headers are believed (`AIWAF_TRUSTED_PROXIES`). Default: none, so the peer's
    /// address counts.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Names of the headers by which trusted proxies name clients; of those that a request has, the first in this order
    /// counts, alone. Each has to be written or removed by the proxies, or clients choose their address. `Forwarded` has the
    /// syntax of RFC 7239, names that end with `Forwarded-For` hold lists, and the others single addresses. 1 to 16 names.
    /// Default: X-Forwarded-For, Forwarded, X-Real-IP, CF-Connecting-IP.
    pub forwarding_headers: Vec<String>,
    /// Prefixes of NAT64 beside `64:ff9b::/96`, of length 32, 40, 48, 56, 64 or 96: the IPv4 address within counts. At most
    /// 16. Default: none.
    pub nat64_prefixes: Vec<Nat64Prefix>,
    /// IPv6 clients that share so many first bits are one client, 16 to 128. Default: 64.
    pub ipv6_prefix: u8,
    /// Maximum number of clients that are remembered, 1,000 to 100,000,000; beyond that the one seen longest ago is
    /// forgotten. About 150 bytes for a client seen once. Default: `rate_limit.max_clients`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_clients: Option<usize>,
    /// Maximum memory in MiB for what is remembered of clients beyond their first request, 16 to 65,536; beyond that,
    /// clients seen longest ago are forgotten. Default: 256.
    pub max_memory_mib: usize,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            forwarding_headers: ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP"]
                .map(str::to_owned)
                .into(),
            nat64_prefixes: Vec::new(),
            ipv6_prefix: 64,
            max_clients: None,
            max_memory_mib: 256,
        }
    }
}

impl ClientSettings {
    /// Returns the IPv4 address within an IPv4-mapped address and within one that a NAT64 made, and other addresses as they
    /// are.
    pub fn canonical_address(&self, address: IpAddr) -> IpAddr {
        canonical_by(address, &self.nat64_prefixes)
    }

    /// The key under which a client with this address is counted.
    pub fn key_of(&self, address: IpAddr) -> ClientKey {
        ClientKey::of_canonical(self.canonical_address(address), self.ipv6_prefix)
    }
}

/// The network of a proxy that is trusted: an address or a CIDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustedProxy(pub IpNet);

impl FromStr for TrustedProxy {
    type Err = crate::client::InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::client::parse_network(text).map(Self)
    }
}

impl TryFrom<String> for TrustedProxy {
    type Error = crate::client::InvalidNetwork;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TrustedProxy> for String {
    fn from(proxy: TrustedProxy) -> Self {
        crate::client::display_network(&proxy.0)
    }
}

/// `[storage]`: where the lists live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageSettings {
    /// `memory:`, `csv:DIRECTORY`, `sqlite:FILE` or `postgres://...`, the last two where they are compiled in
    /// (`AIWAF_STORE`); empty is CSV in `data_dir`. Default: empty.
    pub store: String,
    /// The directory of the CSV files (`AIWAF_DATA_DIR`). Default: aiwaf_data.
    pub data_dir: String,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self { store: String::new(), data_dir: "aiwaf_data".into() }
    }
}

impl StorageSettings {
    /// The store as a URL, whichever way it was set.
    pub fn url(&self) -> String {
        if self.store.is_empty() { format!("csv:{}", self.data_dir) } else { self.store.clone() }
    }
}

impl Settings {
    /// The file of the model: where training puts it and services look for it. `None` if models are switched off.
    ///
    /// It is `ai_anomaly.model_path`, and by default `model.aiwaf` beside the CSV lists or, if the lists live elsewhere,
    /// in `storage.data_dir`.
    ///
    /// ```
    /// use std::path::Path;
    /// use aiwaf_core::Settings;
    ///
    /// let mut settings = Settings::default();
    /// assert_eq!(settings.model_path().as_deref(), Some(Path::new("aiwaf_data/model.aiwaf")));
    /// settings.storage.store = "csv:/var/lib/aiwaf".into();
    /// assert_eq!(settings.model_path().as_deref(), Some(Path::new("/var/lib/aiwaf/model.aiwaf")));
    /// settings.ai_anomaly.model_path = "none".into();
    /// assert_eq!(settings.model_path(), None);
    /// ```
    pub fn model_path(&self) -> Option<PathBuf> {
        match self.ai_anomaly.model_path.as_str() {
            "none" => None,
            "" => {
                let lists = self.storage.store.strip_prefix("csv:").filter(|directory| !directory.is_empty());
                Some(Path::new(lists.unwrap_or(&self.storage.data_dir)).join("model.aiwaf"))
            }
            path => Some(PathBuf::from(path)),
        }
    }
}

/// `[exemptions]`: which paths are exempt, beside those on the list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExemptionSettings {
    /// Exact paths (`/health`), directories (`/static/`) and wildcards (`*.css`), instead of the defaults
    /// (`AIWAF_EXEMPT_PATHS`). Default: not set, which is what every site has: favicon.ico, robots.txt, health probes,
    /// `/.well-known/`, static files and folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exempt_paths: Option<Vec<String>>,
}

/// `[logging]`: what is logged, where and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoggingSettings {
    /// Whether requests are logged at all (`AIWAF_ENABLE_LOGGING`). Default: true.
    pub enabled: bool,
    /// The directory of access.log, error.log and aiwaf.log (`AIWAF_LOG_DIR`). Default: aiwaf_logs.
    pub dir: String,
    /// combined, common, csv or json (`AIWAF_LOG_FORMAT`). Default: combined.
    pub format: LogFormat,
    /// A log file that reaches so many bytes is renamed to `.1` and a new one begun, at least 4,096. Default:
    /// 104,857,600 (100 MiB).
    pub rotate_bytes: u64,
    /// So many renamed files are kept of each log, 1 to 1,000. Default: 10.
    pub keep_files: u32,
    /// Parameters of a query or a body of whose values the logs only hold `[REDACTED]`
    /// (`AIWAF_LOG_REDACT_PARAMETERS`), see [`SecretNames`]. Default: [`SecretNames::DEFAULT`], what usually holds
    /// passwords and tokens.
    pub redact_parameters: Vec<String>,
}

impl Default for LoggingSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            dir: "aiwaf_logs".into(),
            format: LogFormat::Combined,
            rotate_bytes: 100 * 1024 * 1024,
            keep_files: 10,
            redact_parameters: SecretNames::DEFAULT.map(str::to_owned).into(),
        }
    }
}

impl Settings {
    /// The protections that run: selected and not switched off.
    pub fn enabled_protections(&self) -> ProtectionSet {
        self.protections.selected().iter().filter(|protection| self.mode(*protection) != Mode::Off).collect()
    }

    /// How strict a protection is set, whether it is selected or not.
    pub fn mode(&self, protection: Protection) -> Mode {
        match protection {
            Protection::Logging if !self.logging.enabled => Mode::Off,
            Protection::Logging => Mode::Enforce,
            Protection::Custom(_) => self.protections.modes.get(&protection).copied().unwrap_or_default(),
            _ => self.section(protection).map_or(Mode::Off, |section| section.mode),
        }
    }

    /// Sets how strict a protection is. `logging` can only be on or off: `monitor` leaves it on.
    pub fn set_mode(&mut self, protection: Protection, mode: Mode) {
        match protection {
            Protection::Logging => self.logging.enabled = mode != Mode::Off,
            Protection::Custom(_) => drop(self.protections.modes.insert(protection, mode)),
            _ => self.set_section_mode(protection, mode),
        }
    }

    /// Number of matches that ban a client, if a person has set it; 0 never bans, `None` is by evidence.
    pub fn ban_after(&self, protection: Protection) -> Option<u32> {
        match protection {
            Protection::Logging => Some(0),
            Protection::Custom(_) => self.protections.ban_after.get(&protection).copied(),
            _ => self.section(protection)?.ban_after,
        }
    }
}

/// What the section of every built-in protection has.
struct Section {
    mode: Mode,
    ban_after: Option<u32>,
}
