//! Finding logs in directories.

use std::fs;
use std::path::Path;

use super::LogSource;
use super::error::{SourceError, SourceProblem};

/// Most files, and levels of directories, that are looked at.
const MAX_FILES: usize = 10_000;
const MAX_DEPTH: usize = 4;

/// What is at a path.
#[derive(Default)]
pub(super) struct Found {
    pub(super) files: Vec<LogSource>,
    pub(super) problems: Vec<SourceProblem>,
}

/// The file at `path`, or the logs in the directory at `path`.
pub(super) fn find(path: &Path) -> Result<Found, SourceError> {
    let failed = |error| SourceError::Path { path: path.to_owned(), error };
    let metadata = fs::metadata(path).map_err(failed)?;
    let mut found = Found::default();
    if !metadata.is_dir() {
        // Opened once, so that a file that may not be read is said before anything is done.
        fs::File::open(path).map_err(failed)?;
        found.files.push(LogSource { path: path.to_owned(), bytes: metadata.len() });
        return Ok(found);
    }
    fs::read_dir(path).map_err(failed)?;
    let mut entries = 0;
    walk(path, 0, &mut entries, &mut found);
    if found.files.is_empty() {
        return Err(SourceError::NoLogs { path: path.to_owned() });
    }
    found.files.sort();
    Ok(found)
}

fn walk(directory: &Path, depth: usize, entries: &mut usize, found: &mut Found) {
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) => return found.problem(directory, &error.to_string()),
    };
    let mut listing: Vec<_> = listing.filter_map(Result::ok).collect();
    listing.sort_by_key(fs::DirEntry::path);
    for entry in listing {
        *entries += 1;
        if *entries > MAX_FILES {
            return found
                .problem(directory, "too many files: those that come after the first 10,000 are left out");
        }
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            if depth + 1 < MAX_DEPTH {
                walk(&path, depth + 1, entries, found);
            }
        } else if entry.file_name().to_str().is_some_and(is_log) {
            // A link to a file is followed: `current.log` may be one.
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => {
                    found.files.push(LogSource { path, bytes: metadata.len() });
                }
                Ok(_) => {}
                Err(error) => found.problem(&path, &error.to_string()),
            }
        }
    }
}

impl Found {
    fn problem(&mut self, path: &Path, what: &str) {
        self.problems.push(SourceProblem { source: path.display().to_string(), what: what.to_owned() });
    }
}

/// Whether a file of this name is a log of requests: one that ends as logs do, once what rotation appends is cut.
fn is_log(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let stem = without_rotation(&name);
    let is_one = [".log", ".csv", ".json", ".jsonl", ".ndjson"].iter().any(|ending| stem.ends_with(ending))
        || stem.contains("access");
    // Errors are logged twice, and the last is our own log of what was blocked.
    is_one && !name.starts_with('.') && !stem.contains("error") && stem != "aiwaf.log"
}

/// `access.log` for `access.log.2.gz`, `access.log-20250914.zst` and the like.
fn without_rotation(name: &str) -> &str {
    let mut stem = name;
    loop {
        let cut =
            [".gz", ".zst", ".zstd", ".old", ".bak"].iter().find_map(|ending| stem.strip_suffix(ending));
        let shorter = cut.unwrap_or_else(|| {
            let digits = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
            if digits.len() < stem.len() { digits.trim_end_matches(['.', '-', '_']) } else { stem }
        });
        if shorter.len() == stem.len() || shorter.is_empty() {
            return stem;
        }
        stem = shorter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_known_by_their_names() {
        for name in [
            "access.log",
            "access.log.1",
            "access.log.12.gz",
            "access.log-20250914.zst",
            "access.log-2025-09-14",
            "other_vhosts_access.log",
            "www-access_log",
            "access_log.1726300800",
            "u_ex090817.log",
            "requests.csv",
            "requests.jsonl.gz",
            "Access.LOG",
        ] {
            assert!(is_log(name), "{name}");
        }
        for name in [
            "error.log",
            "error.log.1.gz",
            "aiwaf.log",
            ".access.log.swp",
            "notes.txt",
            "model.bin",
            "aiwaf.toml",
        ] {
            assert!(!is_log(name), "{name}");
        }
    }

    #[test]
    fn directories_are_searched() {
        let directory = tempfile::tempdir().unwrap();
        let site = directory.path().join("site");
        fs::create_dir(&site).unwrap();
        fs::write(site.join("access.log.1"), "x").unwrap();
        fs::write(directory.path().join("access.log"), "xy").unwrap();
        fs::write(directory.path().join("notes.txt"), "x").unwrap();
        let found = find(directory.path()).ok().unwrap();
        let sizes: Vec<u64> = found.files.iter().map(|file| file.bytes).collect();
        assert_eq!(sizes, [2, 1]);
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(find(empty.path()), Err(SourceError::NoLogs { .. })));
        let missing = find(&empty.path().join("missing")).err().unwrap().to_string();
        assert!(missing.contains("missing"), "{missing}");
    }
}
