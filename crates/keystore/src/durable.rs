//! Writing a file so that a crash at any moment leaves the old contents or the new, never a mixture.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Replaces a file: a private temporary file is written and synced, renamed over the old one, and the
/// folder is synced. The file is readable by its owner only.
///
/// # Errors
///
/// The system's own error; the old contents are then still there.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // Another process that replaces the same file at the same time has a temporary file of its own.
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(contents)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    sync_folder(path)
}

/// Makes the entry of `path` in its folder durable.
///
/// # Errors
///
/// The system's own error.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    // Windows has no such call; there the rename itself is journaled.
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Removes a file durably; it may be gone already.
///
/// # Errors
///
/// The system's own error.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
