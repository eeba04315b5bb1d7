//! Where the lists live, as one text.

use std::sync::Arc;

use crate::csv::CsvStore;
use crate::error::{StoreError, shorten};
use crate::memory::MemoryStore;
use crate::store::Store;

/// Opens the store that `url` names: `memory:`, or `csv:` and a data directory, which is created if it is missing.
///
/// # Errors
/// [`StoreError::UnknownUrl`] for other texts, which are not repeated in full, for they may hold a password; else what
/// opening gives.
///
/// ```
/// assert_eq!(aiwaf_storage::open("memory:")?.mode(), "Memory");
/// assert!(aiwaf_storage::open("redis://localhost").is_err());
/// # Ok::<(), aiwaf_storage::StoreError>(())
/// ```
pub fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    match url.split_once(':') {
        Some(("memory", "" | "//")) => Ok(Arc::new(MemoryStore::default())),
        Some(("csv", directory)) if !directory.is_empty() => Ok(Arc::new(CsvStore::open(directory)?)),
        parts => {
            let scheme = shorten(parts.map_or(url, |(scheme, _)| scheme));
            Err(StoreError::UnknownUrl { scheme, allowed: ALLOWED })
        }
    }
}

const ALLOWED: &str = "`memory:`, or `csv:` and a data directory, such as `csv:aiwaf_data`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_allowed_and_no_password() {
        for url in ["", "aiwaf_data", "csv:", "memory:x", "postgres://user:secret@host/db"] {
            let error = open(url).map(|store| store.mode()).unwrap_err().to_string();
            assert!(error.contains("`csv:aiwaf_data`") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn opens_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a:b");
        let store = open(&format!("csv:{}", path.display())).unwrap();
        assert_eq!(store.location(), Some(("Data Directory", path.display().to_string())));
    }
}
