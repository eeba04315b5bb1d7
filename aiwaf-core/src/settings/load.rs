//! Settings from the text of a file and from variables; reading either is the caller's business.

use toml::{Table, Value};

use super::{Settings, SettingsError};
use crate::suggest::closest;

/// The original's names of variables (after `AIWAF_`), and the settings that they stand for.
const NAMES: &[(&str, &str)] = &[
    ("AI_CHECK_INTERVAL", "ai_anomaly.check_interval"),
    ("AI_CONTAMINATION", "ai_anomaly.contamination"),
    ("ALLOWED_PATH_KEYWORDS", "ip_keyword_block.allowed_path_keywords"),
    ("CAPTURE_EXTENDED_REQUEST_INFO", "bans.capture_extended_request_info"),
    ("DATA_DIR", "storage.data_dir"),
    ("DISABLE_MIDDLEWARES", "protections.disabled"),
    ("DYNAMIC_TOP_N", "ai_anomaly.dynamic_top_n"),
    ("ENABLE_LOGGING", "logging.enabled"),
    ("EXEMPT_KEYWORDS", "ip_keyword_block.exempt_keywords"),
    ("EXEMPT_PATHS", "exemptions.exempt_paths"),
    ("EXTENDED_REQUEST_INFO_HEADERS", "bans.extended_request_info_headers"),
    ("EXTENDED_REQUEST_INFO_MAX_BYTES", "bans.extended_request_info_max_bytes"),
    ("EXTENDED_REQUEST_INFO_REDACT_HEADERS", "bans.extended_request_info_redact_headers"),
    ("FORCE_AI", "ai_anomaly.force_ai"),
    ("GEOIP_DB_PATH", "geo_block.database_path"),
    ("GEO_ALLOW_COUNTRIES", "geo_block.allowed_countries"),
    ("GEO_BLOCK_COUNTRIES", "geo_block.blocked_countries"),
    ("LOG_DIR", "logging.dir"),
    ("LOG_FORMAT", "logging.format"),
    ("LOG_REDACT_PARAMETERS", "logging.redact_parameters"),
    ("MAX_PAGE_TIME", "honeypot.max_page_time"),
    ("MIDDLEWARES", "protections.enabled"),
    ("MIN_AI_LOGS", "ai_anomaly.min_ai_logs"),
    ("MIN_FORM_TIME", "honeypot.min_form_time"),
    ("MODEL_PATH", "ai_anomaly.model_path"),
    ("PATH_RULES", "path_rules"),
    ("PRESET", "protections.preset"),
    ("RATE_FLOOD", "rate_limit.flood"),
    ("RATE_MAX", "rate_limit.max"),
    ("RATE_WINDOW", "rate_limit.window"),
    ("REQUIRED_HEADERS", "header_validation.required_headers"),
    ("STORE", "storage.store"),
    ("TRUSTED_PROXIES", "client.trusted_proxies"),
    ("WINDOW_SECONDS", "ai_anomaly.window"),
];

/// Variables that are no settings: they say where settings are, belong to the demo, or (the last one) switched on in
/// the original what is always on here.
const NO_SETTINGS: &[&str] = &["CONFIG", "DEMO_ADDR", "USE_RUST"];

impl Settings {
    /// Settings from the text of an `aiwaf.toml` and from variables, which win.
    ///
    /// `file` is the file's name, for messages, and its text. Of `variables` only those that begin with `AIWAF_` are
    /// looked at: the original's names (`AIWAF_RATE_WINDOW`), and `AIWAF_<SECTION>_<KEY>` for every other setting.
    /// Lists are separated by commas, path rules are a JSON array. The result is checked.
    ///
    /// # Errors
    /// [`SettingsError`], for a key or variable that does not exist and for a value that is not allowed.
    ///
    /// ```
    /// use aiwaf_core::Settings;
    ///
    /// let file = ("aiwaf.toml", "[rate_limit]\nmax = 50");
    /// let variables = [("AIWAF_RATE_WINDOW".to_owned(), "10".to_owned())];
    /// let settings = Settings::load(Some(file), variables)?;
    /// assert_eq!((settings.rate_limit.max, settings.rate_limit.window.as_secs()), (50, 10));
    ///
    /// let error = Settings::load(Some(("aiwaf.toml", "[rate_limit]\nmaximum = 50")), []).unwrap_err();
    /// assert!(error.to_string().contains("line 2") && error.to_string().contains("`max`"));
    /// # Ok::<(), aiwaf_core::SettingsError>(())
    /// ```
    pub fn load(
        file: Option<(&str, &str)>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut settings = match file {
            Some((name, text)) => {
                toml::from_str(text).map_err(|error| syntax(name, &in_one_line(text, &error)))?
            }
            None => Self::default(),
        };
        let mut variables: Vec<(String, String)> = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("AIWAF_")?.to_owned(), value)))
            .filter(|(name, _)| !NO_SETTINGS.contains(&name.as_str()))
            .collect();
        // The old switch between CSV and memory goes first, so that `AIWAF_STORE` wins whatever the order.
        variables.sort_by_key(|(name, _)| (name != "USE_CSV", name.clone()));
        for (name, value) in &variables {
            settings = settings.with_variable(name, value)?;
        }
        settings.check()?;
        Ok(settings)
    }

    /// The setting, as `section.key`, that a variable such as `AIWAF_RATE_MAX` sets; `None` if it sets none. What
    /// `AIWAF_USE_CSV` sets yields to `AIWAF_STORE`.
    ///
    /// ```
    /// use aiwaf_core::Settings;
    ///
    /// assert_eq!(Settings::variable_target("AIWAF_RATE_MAX").as_deref(), Some("rate_limit.max"));
    /// assert_eq!(Settings::variable_target("AIWAF_CONFIG"), None);
    /// ```
    pub fn variable_target(variable: &str) -> Option<String> {
        match variable.strip_prefix("AIWAF_")? {
            "USE_CSV" => Some("storage.store".to_owned()),
            name => setting_of(name, &to_table(&Self::default()).ok()?),
        }
    }

    fn with_variable(self, name: &str, text: &str) -> Result<Self, SettingsError> {
        let variable = format!("AIWAF_{name}");
        let mut settings = to_table(&self)?;
        let defaults = to_table(&Self::default())?;
        let (path, value) = if name == "USE_CSV" {
            let store = if boolean(&variable, text)? { "" } else { "memory:" };
            ("storage.store".to_owned(), Value::String(store.into()))
        } else {
            let path = setting_of(name, &defaults).ok_or_else(|| unknown(name, &defaults))?;
            let value = parse(&variable, &path, text, &defaults)?;
            (path, value)
        };
        match path.split_once('.') {
            Some((section, key)) => {
                if let Some(Value::Table(section)) = settings.get_mut(section) {
                    section.insert(key.to_owned(), value);
                }
            }
            None => {
                settings.insert(path.clone(), value);
            }
        }
        settings.try_into().map_err(|error: toml::de::Error| SettingsError::Value {
            key: variable,
            value: format!("{:?}", text.chars().take(100).collect::<String>()),
            allowed: format!("a value for {path}: {}", error.message()),
        })
    }
}

fn to_table(settings: &Settings) -> Result<Table, SettingsError> {
    Table::try_from(settings).map_err(|error| syntax("settings", &error.to_string()))
}

/// What is wrong, and in which line of `text`.
fn in_one_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim().replace('\n', ", ");
    let message =
        suggestion(&message).map_or(message.clone(), |name| format!("{message}: did you mean `{name}`?"));
    let Some((before, after)) = error.span().and_then(|span| text.split_at_checked(span.start)) else {
        return message;
    };
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let end = after.find('\n').map_or(text.len(), |length| before.len() + length);
    let shown: String = text.get(start..end).unwrap_or_default().trim().chars().take(80).collect();
    format!("line {line} (`{shown}`): {message}")
}

/// Of the names that a message about an unknown one expects, the one that may have been meant.
fn suggestion(message: &str) -> Option<&str> {
    let unknown = message.strip_prefix("unknown ")?;
    let mut names = unknown.split('`').skip(1).step_by(2);
    let wanted = names.next()?;
    closest(wanted, names)
}

fn syntax(source_name: &str, message: &str) -> SettingsError {
    SettingsError::Syntax { source_name: source_name.to_owned(), message: message.trim_end().to_owned() }
}

/// The settings that are not in the defaults because they are not set.
const OPTIONAL: [&str; 2] = ["protections.preset", "exemptions.exempt_paths"];

/// The setting that a variable stands for, as `section.key`.
fn setting_of(name: &str, defaults: &Table) -> Option<String> {
    if let Some((_, path)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some((*path).to_owned());
    }
    let lower = name.to_ascii_lowercase();
    all_settings(defaults).find(|path| path.replace('.', "_") == lower)
}

fn all_settings(defaults: &Table) -> impl Iterator<Item = String> {
    defaults
        .iter()
        .filter_map(|(section, value)| Some((section, value.as_table()?)))
        .flat_map(|(section, keys)| keys.keys().map(move |key| format!("{section}.{key}")))
        .chain(OPTIONAL.map(str::to_owned))
}

fn unknown(name: &str, defaults: &Table) -> SettingsError {
    let regular: Vec<String> =
        all_settings(defaults).map(|path| path.replace('.', "_").to_ascii_uppercase()).collect();
    let known = NAMES.iter().map(|(known, _)| *known).chain(regular.iter().map(String::as_str));
    SettingsError::UnknownVariable {
        name: format!("AIWAF_{name}"),
        suggestion: closest(name, known)
            .map(|close| format!(": did you mean AIWAF_{close}?"))
            .unwrap_or_default(),
    }
}

/// Reads `text` as the type that the setting has by default.
fn parse(variable: &str, path: &str, text: &str, defaults: &Table) -> Result<Value, SettingsError> {
    let default = path
        .split_once('.')
        .and_then(|(section, key)| defaults.get(section)?.as_table()?.get(key))
        .or_else(|| defaults.get(path));
    let list = || {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
    };
    Ok(match default {
        Some(Value::Boolean(_)) => Value::Boolean(boolean(variable, text)?),
        Some(Value::Integer(_) | Value::Float(_)) => {
            let text = text.trim();
            if let Ok(whole) = text.parse() {
                Value::Integer(whole)
            } else {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
                Value::Float(number.ok_or_else(|| bad(variable, text, "a number"))?)
            }
        }
        Some(Value::Array(_) | Value::Table(_))
            if matches!(path, "path_rules" | "attack_signatures.exclusions")
                || matches!(default, Some(Value::Table(_))) =>
        {
            serde_json::from_str(text).map_err(|error| bad(variable, text, &format!("JSON ({error})")))?
        }
        Some(Value::Array(_)) => list(),
        None if path == "exemptions.exempt_paths" => list(),
        _ => Value::String(text.to_owned()),
    })
}

fn boolean(variable: &str, text: &str) -> Result<bool, SettingsError> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(bad(variable, text, "true or false")),
    }
}

fn bad(variable: &str, text: &str, allowed: &str) -> SettingsError {
    SettingsError::Value {
        key: variable.to_owned(),
        value: format!("{:?}", text.chars().take(100).collect::<String>()),
        allowed: allowed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{LogFormat, Preset, Protection};

    fn load(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::load(None, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn error(variables: &[(&str, &str)]) -> String {
        load(variables).unwrap_err().to_string()
    }

    #[test]
    fn the_names_of_the_original_work() {
        let settings = load(&[
            ("AIWAF_RATE_WINDOW", "30"),
            ("AIWAF_MIN_FORM_TIME", "2.5"),
            ("AIWAF_DATA_DIR", "elsewhere"),
            ("AIWAF_LOG_FORMAT", "json"),
            ("AIWAF_ENABLE_LOGGING", "False"),
            ("AIWAF_MIDDLEWARES", "rate_limit, HeaderValidationMiddleware"),
            ("AIWAF_TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8"),
            ("AIWAF_EXEMPT_PATHS", "/health,*.css"),
            ("AIWAF_GEO_BLOCK_COUNTRIES", "xx,YY"),
            ("AIWAF_AI_CONTAMINATION", "0.1"),
            ("AIWAF_PATH_RULES", r#"[{"PREFIX": "/api/", "DISABLE": ["HeaderValidationMiddleware"], "RATE_LIMIT": {"MAX": 2000}}]"#),
            ("AIWAF_CAPTURE_EXTENDED_REQUEST_INFO", "true"),
            ("AIWAF_EXTENDED_REQUEST_INFO_HEADERS", "User-Agent, Cookie"),
            ("AIWAF_EXTENDED_REQUEST_INFO_REDACT_HEADERS", "Cookie"),
            ("AIWAF_EXTENDED_REQUEST_INFO_MAX_BYTES", "1024"),
            ("AIWAF_CONFIG", "ignored"),
            ("PATH", "ignored"),
        ])
        .unwrap();
        assert_eq!(settings.rate_limit.window, Duration::from_secs(30));
        assert_eq!(settings.honeypot.min_form_time, Duration::from_millis(2500));
        assert_eq!(settings.storage.url(), "csv:elsewhere");
        assert_eq!(settings.logging.format, LogFormat::Json);
        assert!(!settings.logging.enabled);
        let enabled: Vec<_> = settings.enabled_protections().iter().collect();
        assert_eq!(enabled, [Protection::RateLimit, Protection::HeaderValidation]);
        assert_eq!(settings.client.trusted_proxies.len(), 2);
        assert_eq!(settings.exemptions.exempt_paths.unwrap(), ["/health", "*.css"]);
        assert_eq!(settings.geo_block.blocked_countries[0].as_str(), "XX");
        assert_eq!(settings.path_rules[0].rate_limit.unwrap().max, Some(2000));
        assert_eq!(settings.path_rules[0].disable, [Protection::HeaderValidation]);
        assert!(settings.bans.capture_extended_request_info);
        assert_eq!(settings.bans.extended_request_info_headers, ["User-Agent", "Cookie"]);
        assert_eq!(settings.bans.extended_request_info_redact_headers, ["Cookie"]);
        assert_eq!(settings.bans.extended_request_info_max_bytes, 1024);
    }

    #[test]
    fn every_setting_has_a_variable() {
        let settings = load(&[
            ("AIWAF_HONEYPOT_MODE", "monitor"),
            ("AIWAF_BANS_DURATION", "3600"),
            ("AIWAF_PROTECTIONS_PRESET", "minimal"),
            ("AIWAF_UUID_TAMPER_PARAMETERS", "id,uuid"),
            ("AIWAF_HEADER_VALIDATION_REQUIRED_HEADERS_BY_METHOD", r#"{"OPTIONS": []}"#),
        ])
        .unwrap();
        assert_eq!(settings.honeypot.mode, crate::Mode::Monitor);
        assert_eq!(settings.bans.duration, Duration::from_hours(1));
        assert_eq!(settings.protections.preset, Some(Preset::Minimal));
        assert_eq!(settings.uuid_tamper.parameters, ["id", "uuid"]);
        assert!(settings.header_validation.required_headers_by_method["OPTIONS"].is_empty());
    }

    #[test]
    fn ban_after_is_evidence_or_a_number() {
        let ban_after =
            |value: &str| load(&[("AIWAF_HONEYPOT_BAN_AFTER", value)]).map(|set| set.honeypot.ban_after);
        assert_eq!(ban_after("3").unwrap(), Some(3));
        assert_eq!(ban_after("evidence").unwrap(), None);
        let text = ban_after("many").unwrap_err().to_string();
        assert!(text.contains("expected \"evidence\", or the number of matches"), "{text}");
        let file = ("aiwaf.toml", "[honeypot]\nban_after = 1\n[uuid_tamper]\nban_after = \"evidence\"");
        let settings = Settings::load(Some(file), []).unwrap();
        assert_eq!((settings.honeypot.ban_after, settings.uuid_tamper.ban_after), (Some(1), None));
        assert!(Settings::load(Some(("aiwaf.toml", "[honeypot]\nban_after = -1")), []).is_err());
    }

    #[test]
    fn the_switch_between_csv_and_memory_yields_to_a_store() {
        assert_eq!(load(&[("AIWAF_USE_CSV", "false")]).unwrap().storage.url(), "memory:");
        assert_eq!(load(&[("AIWAF_USE_CSV", "true")]).unwrap().storage.url(), "csv:aiwaf_data");
        let both = load(&[("AIWAF_STORE", "csv:x"), ("AIWAF_USE_CSV", "false")]).unwrap();
        assert_eq!(both.storage.url(), "csv:x");
    }

    #[test]
    fn errors_name_the_variable_the_value_and_what_is_allowed() {
        let text = error(&[("AIWAF_RATE_MAXX", "1")]);
        assert_eq!(text, "AIWAF_RATE_MAXX is no setting: did you mean AIWAF_RATE_MAX?");
        let text = error(&[("AIWAF_RATE_MAX", "many")]);
        assert_eq!(text, "AIWAF_RATE_MAX = \"many\" is not allowed: give a number");
        let text = error(&[("AIWAF_LOG_FORMAT", "xml")]);
        assert!(
            text.starts_with("AIWAF_LOG_FORMAT = \"xml\" is not allowed") && text.contains("combined"),
            "{text}"
        );
        let text = error(&[("AIWAF_MIDDLEWARES", "rate_limits")]);
        assert!(text.contains("did you mean `rate_limit`"), "{text}");
        let text = error(&[("AIWAF_TRUSTED_PROXIES", "banana")]);
        assert!(text.contains("banana"), "{text}");
        let text = error(&[("AIWAF_RATE_WINDOW", "-5")]);
        assert!(text.contains("AIWAF_RATE_WINDOW") && text.contains("-5"), "{text}");
        let text = error(&[("AIWAF_RATE_MAX", "0")]);
        assert_eq!(text, "rate_limit.max = 0 is not allowed: give 1 to 100000");
    }

    #[test]
    fn a_file_reads_back_what_is_written() {
        let settings = load(&[("AIWAF_RATE_MAX", "50"), ("AIWAF_MIN_FORM_TIME", "0.5")]).unwrap();
        let text = toml::to_string(&settings).unwrap();
        assert_eq!(Settings::load(Some(("aiwaf.toml", &text)), []), Ok(settings));
    }

    #[test]
    fn a_file_s_error_names_line_and_choices() {
        let text = Settings::load(Some(("aiwaf.toml", "\n[honeypot]\nmode = \"on\"\n")), [])
            .unwrap_err()
            .to_string();
        assert_eq!(
            text,
            "aiwaf.toml: line 3 (`mode = \"on\"`): unknown variant `on`, expected one of `off`, `monitor`, `enforce`"
        );
        for (text, meant) in [
            ("[rate_limit]\nmaxx = 50", "did you mean `max`?"),
            ("[rate_limits]\nmax = 50", "did you mean `rate_limit`?"),
            ("[honeypot]\nmode = \"enforced\"", "did you mean `enforce`?"),
        ] {
            let error = Settings::load(Some(("aiwaf.toml", text)), []).unwrap_err().to_string();
            assert!(error.ends_with(meant), "{error}");
        }
        let text = Settings::load(Some(("aiwaf.toml", "[honeypot\n")), []).unwrap_err().to_string();
        assert!(text.starts_with("aiwaf.toml: line 1 (`[honeypot`): ") && !text.contains('\n'), "{text}");
    }
}
