//! The settings in force, and where each came from.

use std::path::{Path, PathBuf};

use aiwaf_core::Settings;
use anyhow::Context;
use toml::{Table, Value};

use crate::args::GlobalArgs;

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    /// `section.key`.
    pub(crate) name: String,
    /// Its value; passwords are left out.
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    /// The settings file.
    File(PathBuf),
    /// A variable, by its name.
    Variable(String),
    /// A flag of this call.
    Flag(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// The settings file that is in force: the one that a flag or `AIWAF_CONFIG` names, else `aiwaf.toml` if it is there.
pub(crate) fn settings_file(global: &GlobalArgs) -> Option<PathBuf> {
    let variable = || std::env::var_os("AIWAF_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
    global.config.clone().or_else(variable).or_else(default)
}

/// Where the settings are if nobody says.
pub(crate) const DEFAULT_FILE: &str = "aiwaf.toml";

/// All settings in the order of the explained file, as `settings` has them.
pub(crate) fn all(settings: &Settings, global: &GlobalArgs) -> anyhow::Result<Vec<Setting>> {
    let file = settings_file(global);
    let written: Table = match &file {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            text.parse().with_context(|| format!("reading {}", path.display()))?
        }
        None => Table::new(),
    };
    let mut variables: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter_map(|name| Some((Settings::variable_target(&name)?, name)))
        .collect();
    // The old switch yields to the store, as it does when settings are loaded.
    variables.sort_by_key(|(_, name)| (name == "AIWAF_USE_CSV", name.clone()));

    let mut settings = settings.clone();
    let mut flags = Vec::new();
    if let Some(store) = &global.store {
        settings.storage.store.clone_from(store);
        flags.push(("storage.store", "--store"));
    } else if let Some(directory) = &global.data_dir {
        settings.storage.store.clear();
        settings.storage.data_dir = directory.display().to_string();
        flags.extend([("storage.store", "--data-dir"), ("storage.data_dir", "--data-dir")]);
    }
    settings.storage.store = without_password(&settings.storage.store);

    let origin = |name: &str| {
        if let Some((_, flag)) = flags.iter().find(|(setting, _)| *setting == name) {
            return Origin::Flag(flag);
        }
        if let Some((_, variable)) = variables.iter().find(|(setting, _)| setting == name) {
            return Origin::Variable(variable.clone());
        }
        match &file {
            Some(path) if is_written(&written, name) => Origin::File(path.clone()),
            _ => Origin::Default,
        }
    };
    let table = Table::try_from(&settings).context("showing the settings")?;
    let mut all = Vec::new();
    for (section, value) in table {
        match value {
            Value::Table(keys) => {
                for (key, value) in keys {
                    let name = format!("{section}.{key}");
                    let origin = origin(&name);
                    all.push(Setting { name, value, origin });
                }
            }
            value => {
                let origin = origin(&section);
                all.push(Setting { name: section, value, origin });
            }
        }
    }
    Ok(all)
}

/// The text on `name`'s right-hand side stands in the file.
fn is_written(file: &Table, name: &str) -> bool {
    match name.split_once('.') {
        Some((section, key)) => {
            file.get(section).and_then(Value::as_table).is_some_and(|keys| keys.contains_key(key))
        }
        None => file.contains_key(name),
    }
}

/// The URL of a store, as it may be shown.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // The last `@` before the path: a password may hold one.
    let end = rest.find('/').unwrap_or(rest.len());
    let Some(at) = rest.get(..end).and_then(|authority| authority.rfind('@')) else { return url.to_owned() };
    let user = rest.get(..at).and_then(|user| user.split(':').next()).unwrap_or_default();
    format!("{scheme}://{user}{}", rest.get(at..).unwrap_or_default())
}

/// The folder of a path, which is the working directory for a mere name.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            ("postgres://ada:secret@db.example/x", "postgres://ada@db.example/x"),
            ("postgres://ada:se@cret@db.example", "postgres://ada@db.example"),
            ("postgres://db.example/x", "postgres://db.example/x"),
            ("csv:a@b", "csv:a@b"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
