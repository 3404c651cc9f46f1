//! Files into an archive, and back.
//!
//! What comes back may be anybody's: only plain files and directories are made, only below the directory that was
//! given, and not more than a limit of them.

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    path::{Component, Path, PathBuf},
};

use bzip2::read::MultiBzDecoder;
use diracx_core::sandbox::LARGEST_SANDBOX;
use sha2::{Digest, Sha256};
use tar::{Archive, Builder, EntryType, HeaderMode};
use tempfile::NamedTempFile;

/// How hard to compress, as DiracX's client does.
const LEVEL: i32 = 18;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BZIP2_MAGIC: [u8; 3] = *b"BZh";

/// Files that are packed, in a temporary file.
#[derive(Debug)]
pub struct Packed {
    /// The archive, `tar.zst`.
    pub file: NamedTempFile,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Why files cannot be packed, or an archive not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file without a name, such as `..`.
    #[error("{} has no name of its own", .0.display())]
    NoName(PathBuf),
    /// Two files of one name.
    #[error("there are two files named {0}; inside a sandbox all files are in one directory")]
    TwoOfOneName(String),
    /// The archive is larger than a sandbox may be.
    #[error("the packed files have {0} bytes, and a sandbox may have {LARGEST_SANDBOX} at the most")]
    TooLarge(u64),
    /// The temporary file.
    #[error("cannot write a temporary file: {0}")]
    Temporary(#[source] io::Error),
    /// Neither of the two kinds.
    #[error("the sandbox is neither a tar.zst nor a tar.bz2 archive")]
    UnknownKind,
    /// An archive that cannot be read.
    #[error("the sandbox cannot be unpacked: {0}")]
    Broken(#[source] io::Error),
    /// A file that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name that leads elsewhere.
    #[error("the sandbox wants to write outside of its directory: {0:?}")]
    Outside(String),
    /// An archive without end.
    #[error("the sandbox unpacks to more than {} bytes or {} files", .0.bytes, .0.entries)]
    Bomb(Limits),
}

/// Packs files and directories, each under its own name.
///
/// # Errors
/// One of them cannot be read, two have one name, or there is too much.
pub fn pack(paths: &[PathBuf]) -> Result<Packed, ArchiveError> {
    let file = NamedTempFile::new().map_err(ArchiveError::Temporary)?;
    let mut encoder =
        zstd::Encoder::new(Hashed::new(BufWriter::new(file)), LEVEL).map_err(ArchiveError::Temporary)?;
    encoder.long_distance_matching(true).map_err(ArchiveError::Temporary)?;
    let mut builder = Builder::new(encoder);
    // The same files make the same archive, which then is stored once.
    builder.mode(HeaderMode::Deterministic);
    let mut names = BTreeSet::new();
    for path in paths {
        let name = path.file_name().ok_or_else(|| ArchiveError::NoName(path.clone()))?;
        if !names.insert(name.to_owned()) {
            return Err(ArchiveError::TwoOfOneName(name.to_string_lossy().into_owned()));
        }
        let read = |source| ArchiveError::Read { path: path.clone(), source };
        let metadata = fs::metadata(path).map_err(read)?;
        if metadata.is_dir() {
            builder.append_dir_all(name, path).map_err(read)?;
        } else {
            builder.append_path_with_name(path, name).map_err(read)?;
        }
    }
    let encoder = builder.into_inner().map_err(ArchiveError::Temporary)?;
    let hashed = encoder.finish().map_err(ArchiveError::Temporary)?;
    let Hashed { inner, hash, size } = hashed;
    let file = inner.into_inner().map_err(|error| ArchiveError::Temporary(error.into_error()))?;
    if size > LARGEST_SANDBOX.unsigned_abs() {
        return Err(ArchiveError::TooLarge(size));
    }
    Ok(Packed { file, sha256: format!("{:x}", hash.finalize()), size })
}

/// Counts and hashes what is written.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W> Hashed<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// How much an archive may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files together, and of the archive unpacked.
    pub bytes: u64,
    /// Files and directories.
    pub entries: usize,
}

impl Default for Limits {
    /// 2 GiB in 100,000 files.
    fn default() -> Self {
        Self { bytes: 2 << 30, entries: 100_000 }
    }
}

/// How many bytes the headers of one file may have: its name, a link's target, attributes.
const HEADER_BYTES: u64 = 64 << 10;
/// How many bytes the names of all files may have.
const NAME_BYTES: usize = 16 << 20;

/// What came out of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Files, by their names in the directory.
    pub files: Vec<PathBuf>,
    /// What was neither file nor directory, such as links; it was left out.
    pub left_out: Vec<String>,
}

/// Unpacks an archive into a directory, which is made if it is missing. Files that are there already stay, and are
/// an error.
///
/// # Errors
/// The archive is broken, too large, or wants out of the directory. What was unpacked until then stays.
pub fn unpack(archive: &mut File, directory: &Path, limits: Limits) -> Result<Unpacked, ArchiveError> {
    let mut magic = Vec::new();
    archive.rewind().map_err(ArchiveError::Broken)?;
    Read::by_ref(archive).take(4).read_to_end(&mut magic).map_err(ArchiveError::Broken)?;
    archive.rewind().map_err(ArchiveError::Broken)?;
    let reader = BufReader::new(archive);
    if magic == ZSTD_MAGIC {
        unpack_tar(zstd::Decoder::with_buffer(reader).map_err(ArchiveError::Broken)?, directory, limits)
    } else if magic.starts_with(&BZIP2_MAGIC) {
        unpack_tar(MultiBzDecoder::new(reader), directory, limits)
    } else {
        Err(ArchiveError::UnknownKind)
    }
}

fn unpack_tar(reader: impl Read, directory: &Path, limits: Limits) -> Result<Unpacked, ArchiveError> {
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| ArchiveError::Write { path, source }
    };
    fs::create_dir_all(directory).map_err(write(directory))?;
    let ahead = Cell::new(u64::MAX);
    let mut archive = Archive::new(Bounded { reader, left: limits.bytes, ahead: &ahead });
    let (mut found, mut names) = (Unpacked::default(), 0);
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::FileTooLarge => ArchiveError::Bomb(limits),
        _ => ArchiveError::Broken(error),
    };
    let mut entries = archive.entries().map_err(broken)?;
    for count in 0.. {
        // Names and attributes are read into memory, whatever length they say they have.
        ahead.set(HEADER_BYTES);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(broken)?;
        ahead.set(u64::MAX);
        let written = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        names += written.len();
        if count >= limits.entries || names > NAME_BYTES {
            return Err(ArchiveError::Bomb(limits));
        }
        let Some(name) = inside(&written) else { return Err(ArchiveError::Outside(written)) };
        let path = directory.join(&name);
        match entry.header().entry_type() {
            EntryType::Directory => make_directories(directory, &name)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                make_directories(directory, name.parent().unwrap_or(Path::new("")))?;
                let mut file = create(&path, entry.header().mode().unwrap_or(0o644)).map_err(write(&path))?;
                // Reading fails beyond the limit; all else is a matter of writing.
                io::copy(&mut entry, &mut file).map_err(|error| match error.kind() {
                    io::ErrorKind::FileTooLarge => ArchiveError::Bomb(limits),
                    _ => write(&path)(error),
                })?;
                found.files.push(name);
            }
            _ => found.left_out.push(written),
        }
        // What nobody wanted of it is passed over here, and not with the next names.
        io::copy(&mut entry, &mut io::sink()).map_err(broken)?;
    }
    Ok(found)
}

/// A new file, which follows no link. Of its mode only whether it is a program counts.
fn create(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(if mode & 0o100 == 0 { 0o644 } else { 0o755 });
    }
    options.open(path)
}

/// A name that stays below the directory, without its dots.
fn inside(written: &str) -> Option<PathBuf> {
    let mut name = PathBuf::new();
    for part in Path::new(written).components() {
        match part {
            Component::Normal(part) => name.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!written.contains('\0')).then_some(name)
}

/// Makes directories below another one, through no link.
fn make_directories(root: &Path, name: &Path) -> Result<(), ArchiveError> {
    let mut path = root.to_owned();
    for part in name.components() {
        path.push(part);
        let made = match fs::symlink_metadata(&path) {
            Ok(there) if there.is_dir() => Ok(()),
            Ok(_) => return Err(ArchiveError::Outside(name.display().to_string())),
            Err(_) => fs::create_dir(&path),
        };
        made.map_err(|source| ArchiveError::Write { path: path.clone(), source })?;
    }
    Ok(())
}

/// Fails when more is read than is left, in all or before the next file.
struct Bounded<'a, R> {
    reader: R,
    left: u64,
    ahead: &'a Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(bytes)?;
        self.left = self.left.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        let too_long = || {
            let problem = format!("a file has a name and attributes of more than {HEADER_BYTES} bytes");
            io::Error::new(io::ErrorKind::InvalidData, problem)
        };
        self.ahead.set(self.ahead.get().checked_sub(read as u64).ok_or_else(too_long)?);
        Ok(read)
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
