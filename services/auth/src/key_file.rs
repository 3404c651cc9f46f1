//! Changing the file of a key store: one at a time, in one step, so that whoever reads sees all or nothing of it.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

/// Gives the content of the file (nothing if there is none) to `change` and puts what that makes in its place;
/// if it makes nothing, the file stays as it is. A link is followed, owner and permissions stay; a new file is for its
/// owner only.
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
    let before = fs::metadata(target).ok();
    let mode = before.as_ref().map_or(0o600, |metadata| metadata.permissions().mode() & 0o777);
    // left behind by somebody who was killed; nobody else is here now
    let _ = fs::remove_file(&new);
    let written =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(&new).and_then(|mut file| {
            if let Some(before) = &before {
                keep_owner(&file, before)?;
            }
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

/// Gives the new file to whom the old one belongs: a process that runs as somebody else must still be able to read it.
fn keep_owner(file: &File, before: &Metadata) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) == (before.uid(), before.gid()) {
        return Ok(());
    }
    fchown(file, Some(before.uid()), Some(before.gid())).map_err(|error| {
        let owner = format!("user {} and group {}", before.uid(), before.gid());
        let why = format!(
            "it belongs to {owner}, and a new file cannot be given to them ({error}); work as that user"
        );
        io::Error::new(error.kind(), why)
    })
}

fn beside(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    target.with_file_name(name)
}
