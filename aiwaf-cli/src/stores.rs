//! Which lists are meant, and opening them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use aiwaf_core::{ListChange, Settings};
use aiwaf_storage::{CsvStore, Loaded, Revision, Store, StoreError};
use anyhow::bail;

use crate::args::GlobalArgs;

/// What a command wants of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading, or changing what must be there.
    Existing,
}

/// Opens the lists: those that a flag names, else those of the settings.
///
/// A home that was named must be there; if nobody named one, a missing `aiwaf_data` is one without entries.
pub(crate) fn open(
    global: &GlobalArgs,
    settings: &Settings,
    access: Access,
) -> anyhow::Result<Arc<dyn Store>> {
    let url = match (&global.store, &global.data_dir) {
        (Some(url), _) => url.clone(),
        (None, Some(directory)) => return directory_store(directory, true, access),
        (None, None) => settings.storage.url(),
    };
    if let Some(directory) = url.strip_prefix("csv:").filter(|directory| !directory.is_empty()) {
        let is_default = global.store.is_none() && settings.storage == Settings::default().storage;
        return directory_store(Path::new(directory), !is_default, access);
    }
    if let Some(file) = url.strip_prefix("sqlite:") {
        let path = Path::new(file.strip_prefix("//").unwrap_or(file));
        if access == Access::Existing && !file.is_empty() && !path.exists() {
            bail!(
                "there is no database {}: check the spelling, or add something to create it",
                path.display()
            );
        }
    }
    Ok(aiwaf_storage::open(&url)?)
}

fn directory_store(path: &Path, was_named: bool, access: Access) -> anyhow::Result<Arc<dyn Store>> {
    if access == Access::Existing && was_named && !path.exists() {
        bail!(
            "there is no data directory {}: check the spelling, or add something to create it",
            path.display()
        );
    }
    Ok(Arc::new(DataDirectory { path: path.to_owned(), store: OnceLock::new() }))
}

/// A data directory that only the first change creates, so that looking leaves nothing behind.
struct DataDirectory {
    path: PathBuf,
    store: OnceLock<CsvStore>,
}

impl DataDirectory {
    fn existing(&self) -> Result<Option<&CsvStore>, StoreError> {
        if self.store.get().is_none() && !self.path.exists() {
            return Ok(None);
        }
        self.opened(CsvStore::open_existing).map(Some)
    }

    fn opened(
        &self,
        open: impl FnOnce(PathBuf) -> Result<CsvStore, StoreError>,
    ) -> Result<&CsvStore, StoreError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let store = open(self.path.clone())?;
        Ok(self.store.get_or_init(|| store))
    }
}

impl Store for DataDirectory {
    fn mode(&self) -> &'static str {
        "CSV"
    }

    fn location(&self) -> Option<(&'static str, String)> {
        Some(("Data Directory", self.path.display().to_string()))
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        self.existing()?.map_or_else(|| Ok(Loaded::default()), CsvStore::load)
    }

    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        self.opened(CsvStore::open)?.apply(changes)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.existing()?.map_or_else(|| Ok(Revision::default()), CsvStore::revision)
    }
}
