//! Models on disk.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use super::format::MAX_FILE;
use super::{ModelError, TrainedModel};

impl TrainedModel {
    /// Reads the model in a file.
    ///
    /// # Errors
    /// [`ModelError::Io`] if it can't be read, and all that [`from_bytes`](Self::from_bytes) says.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let bytes = File::open(path).and_then(read_file).map_err(ModelError::io("reading", path))?;
        Self::from_bytes(&bytes)
    }

    /// Writes the model into a file, which is the old or the new one, whole, whoever looks and whenever the power
    /// fails. Every user of the machine may read a new file; one that is replaced keeps its permissions.
    ///
    /// # Errors
    /// [`ModelError::Io`] if it can't be written, and all that [`to_bytes`](Self::to_bytes) says.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        let path = path.as_ref();
        let bytes = self.to_bytes()?;
        replace(path, &bytes).map_err(ModelError::io("writing", path))
    }
}

/// The bytes of a file, or one more than are allowed, so that a file that is too large is seen to be.
pub(crate) fn read_file(file: File) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".model-").suffix(".tmp");
    let found = fs::metadata(path);
    #[cfg(unix)]
    if found.is_err() {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    let mut temporary = builder.tempfile_in(directory)?;
    match found {
        Ok(found) => {
            adopt(temporary.as_file(), path)?;
            temporary.as_file().set_permissions(found.permissions())?;
        }
        Err(_) => adopt(temporary.as_file(), directory)?,
    }
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_directory(directory)
}

/// Gives a file the owner that `like` has, so that the service can remove what an administrator trained as root.
///
/// Only root may give files away; for everybody else the file stays theirs.
#[cfg(unix)]
fn adopt(file: &File, like: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let (now, like) = (file.metadata()?, fs::metadata(like)?);
    if (now.uid(), now.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    match fchown(file, Some(like.uid()), Some(like.gid())) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn adopt(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
