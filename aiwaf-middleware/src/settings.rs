//! Finding and reading the settings.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use aiwaf_core::{Settings, SettingsError};

use crate::waf::Error;

/// An `aiwaf.toml` that explains every setting, each at its default.
pub const SETTINGS_FILE: &str = include_str!("../aiwaf.toml");

/// Where the settings are if nobody says.
const DEFAULT_FILE: &str = "aiwaf.toml";

/// No honest settings file is larger, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The settings of this process: of the file `explicit`, else of the file that `AIWAF_CONFIG` names, else of
/// `aiwaf.toml` in the working directory if that is there; overridden by the other variables `AIWAF_*`.
///
/// # Errors
/// [`Error::SettingsFile`] if a file that was named can't be read, [`Error::Settings`] for what is wrong in it or in
/// a variable.
pub fn load_settings(explicit: Option<&Path>) -> Result<Settings, Error> {
    load(explicit, std::env::vars_os())
}

fn load(
    explicit: Option<&Path>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Settings, Error> {
    let mut named = explicit.map(Path::to_owned);
    let mut overrides = Vec::new();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else { continue };
        if !name.starts_with("AIWAF_") {
            continue;
        }
        if name == "AIWAF_CONFIG" {
            named = named.or_else(|| (!value.is_empty()).then(|| PathBuf::from(&value)));
            continue;
        }
        let value = value.into_string().map_err(|value| {
            Error::Settings(SettingsError::Syntax {
                source_name: name.clone(),
                message: format!(
                    "{:?} is no UTF-8",
                    value.to_string_lossy().chars().take(100).collect::<String>()
                ),
            })
        })?;
        overrides.push((name, value));
    }
    let file = match named {
        Some(path) => Some(read(path)?),
        None if Path::new(DEFAULT_FILE).exists() => Some(read(DEFAULT_FILE.into())?),
        None => None,
    };
    let file = file.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
    Ok(Settings::load(file, overrides)?)
}

/// The name and the text of a file.
fn read(path: PathBuf) -> Result<(String, String), Error> {
    let read = || {
        let mut text = String::new();
        File::open(&path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(text)
    };
    match read() {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(source) => Err(Error::SettingsFile { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (OsString, OsString)> + 'a {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into()))
    }

    #[test]
    fn flag_wins_over_variable_wins_over_file() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let one = write("one.toml", "[rate_limit]\nmax = 11\nwindow = 30");
        let two = write("two.toml", "[rate_limit]\nmax = 12");
        let config = ("AIWAF_CONFIG", two.to_str().unwrap());
        assert_eq!(load(None, variables(&[config])).unwrap().rate_limit.max, 12);
        let both = load(Some(&one), variables(&[config, ("AIWAF_RATE_MAX", "13"), ("HOME", "x")])).unwrap();
        assert_eq!((both.rate_limit.max, both.rate_limit.window.as_secs()), (13, 30));
        let typo = write("typo.toml", "[rate_limit]\nmaxx = 1");
        let error = load(Some(&typo), []).unwrap_err().to_string();
        assert!(error.contains("typo.toml") && error.contains("maxx"), "{error}");
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let error =
            load(None, variables(&[("AIWAF_CONFIG", "/no/such/aiwaf.toml")])).unwrap_err().to_string();
        assert!(error.contains("/no/such/aiwaf.toml") && error.contains("AIWAF_CONFIG"), "{error}");
    }

    #[test]
    fn the_explained_file_is_the_default() {
        assert_eq!(Settings::load(Some(("aiwaf.toml", SETTINGS_FILE)), []).unwrap(), Settings::default());
    }

    #[test]
    fn the_explained_file_names_every_setting() {
        let defaults = toml::Table::try_from(Settings::default()).unwrap();
        let written: toml::Table = toml::from_str(SETTINGS_FILE).unwrap();
        for (section, keys) in &defaults {
            let Some(keys) = keys.as_table() else { continue };
            let written = written.get(section).and_then(toml::Value::as_table);
            let written = written.unwrap_or_else(|| panic!("[{section}] is missing"));
            for key in keys.keys() {
                assert!(written.contains_key(key), "{section}.{key} is missing");
            }
        }
        for unset in ["# preset = ", "# exempt_paths = ", "# [[path_rules]]"] {
            assert!(SETTINGS_FILE.contains(unset), "{unset}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_is_an_error() {
        use std::os::unix::ffi::OsStringExt;

        let value = OsString::from_vec(vec![0xff]);
        let error = load(None, [("AIWAF_DATA_DIR".into(), value)]).unwrap_err().to_string();
        assert!(error.contains("AIWAF_DATA_DIR"), "{error}");
    }
}
