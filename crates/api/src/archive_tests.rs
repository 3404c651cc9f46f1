use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn sandbox() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// An archive that no honest program makes.
fn crafted(build: impl FnOnce(&mut Builder<zstd::Encoder<'_, File>>)) -> File {
    let file = tempfile::tempfile().unwrap();
    let mut builder = Builder::new(zstd::Encoder::new(file.try_clone().unwrap(), 3).unwrap());
    build(&mut builder);
    builder.into_inner().unwrap().finish().unwrap();
    file
}

fn entry(kind: EntryType, name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

#[test]
fn files_come_back_as_they_were() {
    let (from, to) = (sandbox(), sandbox());
    fs::write(from.path().join("a.txt"), "hello").unwrap();
    fs::create_dir_all(from.path().join("d/e")).unwrap();
    fs::write(from.path().join("d/e/run.sh"), "#!/bin/sh").unwrap();
    fs::set_permissions(from.path().join("d/e/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let paths = [from.path().join("a.txt"), from.path().join("d")];
    let mut packed = pack(&paths).unwrap();
    assert_eq!(packed.size, packed.file.as_file().metadata().unwrap().len());
    assert_eq!(packed.sha256, format!("{:x}", Sha256::digest(fs::read(packed.file.path()).unwrap())));
    assert_eq!(pack(&paths).unwrap().sha256, packed.sha256, "the same files, the same archive");

    let target = to.path().join("new");
    let unpacked = unpack(packed.file.as_file_mut(), &target, Limits::default()).unwrap();
    assert_eq!(unpacked.files, [PathBuf::from("a.txt"), PathBuf::from("d/e/run.sh")]);
    assert_eq!(fs::read_to_string(target.join("a.txt")).unwrap(), "hello");
    assert_eq!(fs::metadata(target.join("d/e/run.sh")).unwrap().permissions().mode() & 0o777, 0o755);
    let again = unpack(packed.file.as_file_mut(), &target, Limits::default()).unwrap_err();
    assert!(again.to_string().contains("a.txt"), "what is there stays: {again}");
}

#[test]
fn archives_of_bzip2_are_read_too_and_others_are_not() {
    let file = tempfile::tempfile().unwrap();
    let mut builder =
        Builder::new(bzip2::write::BzEncoder::new(file.try_clone().unwrap(), bzip2::Compression::best()));
    builder.append(&entry(EntryType::Regular, "x", 1), &b"y"[..]).unwrap();
    builder.into_inner().unwrap().finish().unwrap();
    let to = sandbox();
    let mut file = file;
    assert_eq!(unpack(&mut file, to.path(), Limits::default()).unwrap().files, [PathBuf::from("x")]);
    let mut other = tempfile::tempfile().unwrap();
    other.write_all(b"PK\x03\x04").unwrap();
    assert!(matches!(unpack(&mut other, to.path(), Limits::default()), Err(ArchiveError::UnknownKind)));
}

#[test]
fn nothing_is_written_outside_of_the_directory() {
    let to = sandbox();
    for name in ["../escaped", "/tmp/escaped", "a/../../escaped"] {
        let mut file = crafted(|tar| {
            tar.append(&entry(EntryType::Regular, name, 1), &b"x"[..]).unwrap();
        });
        let refused = unpack(&mut file, &to.path().join("in"), Limits::default());
        assert!(matches!(refused, Err(ArchiveError::Outside(_))), "{name}");
    }
    assert!(!to.path().join("escaped").exists());

    // A link in the archive is left out, so that nothing is written through it.
    let mut file = crafted(|tar| {
        let mut link = entry(EntryType::Symlink, "out", 0);
        link.set_link_name(to.path()).unwrap();
        link.set_cksum();
        tar.append(&link, io::empty()).unwrap();
        tar.append(&entry(EntryType::Regular, "out/file", 1), &b"x"[..]).unwrap();
    });
    let unpacked = unpack(&mut file, &to.path().join("links"), Limits::default()).unwrap();
    assert_eq!(unpacked.left_out, ["out"]);
    assert!(to.path().join("links/out/file").exists() && !to.path().join("file").exists());

    // A link that is there already is not followed either.
    let there = to.path().join("there");
    fs::create_dir(&there).unwrap();
    symlink(to.path(), there.join("out")).unwrap();
    assert!(matches!(unpack(&mut file, &there, Limits::default()), Err(ArchiveError::Outside(_))));
    assert!(!to.path().join("file").exists());
}

#[test]
fn an_archive_without_end_is_given_up() {
    let to = sandbox();
    let mut file = crafted(|tar| {
        tar.append(&entry(EntryType::Regular, "zeros", 1 << 24), io::repeat(0).take(1 << 24)).unwrap();
    });
    let limits = Limits { bytes: 1 << 20, entries: 10 };
    assert!(matches!(unpack(&mut file, &to.path().join("a"), limits), Err(ArchiveError::Bomb(_))));
    let mut file = crafted(|tar| {
        for i in 0..11 {
            tar.append(&entry(EntryType::Regular, &i.to_string(), 0), io::empty()).unwrap();
        }
    });
    assert!(matches!(unpack(&mut file, &to.path().join("b"), limits), Err(ArchiveError::Bomb(_))));
}

#[test]
fn files_that_cannot_be_packed_are_named() {
    let from = sandbox();
    let twice = [from.path().join("x"), from.path().join("d/x")];
    fs::create_dir(from.path().join("d")).unwrap();
    for path in &twice {
        fs::write(path, "x").unwrap();
    }
    assert!(pack(&twice).unwrap_err().to_string().contains("two files named x"));
    assert!(pack(&[from.path().join("missing")]).unwrap_err().to_string().contains("missing"));
    assert!(matches!(pack(&[PathBuf::from("..")]), Err(ArchiveError::NoName(_))));
}

/// A header of names or attributes that says it has so many bytes, which are there.
fn long_header(kind: EntryType, beginning: &[u8], size: u64) -> File {
    crafted(|tar| {
        let rest = io::repeat(b'x').take(size - beginning.len() as u64);
        tar.append(&entry(kind, "././@LongLink", size), beginning.chain(rest)).unwrap();
        tar.append(&entry(EntryType::Regular, "x", 1), &b"y"[..]).unwrap();
    })
}

#[test]
fn names_and_attributes_without_end_are_given_up() {
    let to = sandbox();
    let comment = b"1048576 comment=";
    for (kind, beginning, size) in [
        (EntryType::GNULongName, &b""[..], 1 << 30),
        (EntryType::GNULongLink, b"", 1 << 30),
        (EntryType::XHeader, comment, 1 << 20),
        (EntryType::GNULongName, b"", 65 << 10),
    ] {
        let mut file = long_header(kind, beginning, size);
        let error = unpack(&mut file, &to.path().join("a"), Limits::default()).unwrap_err();
        let expected =
            "the sandbox cannot be unpacked: a file has a name and attributes of more than 65536 bytes";
        assert_eq!(error.to_string(), expected, "{kind:?}");
    }
    // Nothing of it counts for the files behind it, nor what is left out.
    let mut file = crafted(|tar| {
        tar.append(&entry(EntryType::Fifo, "pipe", 1 << 20), io::repeat(0).take(1 << 20)).unwrap();
        for name in ["a", "b"] {
            let long = format!("{}{name}", "directory/".repeat(300));
            let mut header = entry(EntryType::Regular, "", 1);
            tar.append_data(&mut header, &long, &b"y"[..]).unwrap();
        }
    });
    let unpacked = unpack(&mut file, &to.path().join("b"), Limits::default()).unwrap();
    assert_eq!((unpacked.files.len(), unpacked.left_out), (2, vec!["pipe".to_owned()]));
}

#[test]
fn names_of_many_files_are_bounded_together() {
    let to = sandbox();
    let mut file = crafted(|tar| {
        for i in 0..300 {
            let mut link = entry(EntryType::Symlink, "", 0);
            let long = format!("{i}{}", "x".repeat(60_000));
            tar.append_link(&mut link, long, "target").unwrap();
        }
    });
    assert!(matches!(unpack(&mut file, to.path(), Limits::default()), Err(ArchiveError::Bomb(_))));
}
