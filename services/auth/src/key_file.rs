//! Changing the file of a key store: one at a time, in one step, so that whoever reads sees all or nothing of it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Gives the content of the file (nothing if there is none) to `change` and puts what that makes in its place;
/// if it makes nothing, the file stays as it is. A link is followed, permissions stay; a new file is for its owner
/// only.
pub(crate) fn change<T, E: From<io::Error>>(
    path: &Path,
    change: impl FnOnce(Option<&str>) -> Result<(Option<String>, T), E>,
) -> Result<T, E> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // the file itself is replaced, so the lock is on the directory; the system takes it back when we end
    let lock = File::open(directory)?;
    lock.lock()?;
    let before = match fs::read_to_string(&target) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let (after, result) = change(before.as_deref())?;
    if let Some(after) = after {
        replace(&target, &after)?;
        // what the directory says must last as long as what is in the file
        lock.sync_all()?;
    }
    Ok(result)
}

fn replace(target: &Path, text: &str) -> io::Result<()> {
    let new = beside(target);
    let mode = fs::metadata(target).map_or(0o600, |metadata| metadata.permissions().mode() & 0o777);
    // left behind by somebody who was killed; nobody else is here now
    let _ = fs::remove_file(&new);
    let written =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(&new).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, target)
        });
    if written.is_err() {
        // what is half done must not lie around: it holds keys
        let _ = fs::remove_file(&new);
    }
    written
}

fn beside(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    target.with_file_name(name)
}
