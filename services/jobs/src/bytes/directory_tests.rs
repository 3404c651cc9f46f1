use super::*;

const VALID: Duration = Duration::from_secs(300);

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_428_000, 0).unwrap()
}

fn announced(user: &str, bytes: &[u8]) -> Announced {
    let sha256: [u8; 32] = Sha256::digest(bytes).into();
    let pfn = format!("/S3/sandboxes/alpha/users/{user}/sha256:{}.tar.zst", hex(&sha256));
    Announced { pfn: pfn.parse().unwrap(), size: i64::try_from(bytes.len()).unwrap(), sha256 }
}

async fn upload(store: &Directory, announced: &Announced, pieces: &[&[u8]]) -> Result<(), StoreError> {
    let form = store.sign_upload(announced, now(), VALID)?;
    let ticket = store.permits_upload("sandboxes", &form.fields, now())?;
    let mut incoming = store.receive(ticket).await?;
    for piece in pieces {
        incoming.write(piece).await?;
    }
    incoming.finish().await
}

async fn download(store: &Directory, pfn: &Pfn) -> Result<Vec<u8>, StoreError> {
    let url = store.sign_download(pfn, now(), VALID)?;
    let expires = expires(now(), VALID);
    let signature = url.rsplit('=').next().unwrap();
    let mut outgoing = store.send(pfn.bucket(), pfn.key(), expires, signature, now()).await?;
    let mut all = Vec::new();
    loop {
        let piece = outgoing.read().await?;
        if piece.is_empty() {
            assert_eq!(outgoing.size(), all.len() as u64);
            return Ok(all);
        }
        all.extend(piece);
    }
}

fn unfinished(dir: &Path) -> usize {
    fs::read_dir(dir.join(INCOMING)).unwrap().count()
}

#[tokio::test]
async fn what_was_announced_comes_back_and_nothing_else_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Directory::open(dir.path()).unwrap();
    let good = announced("alice", b"some bytes");
    assert!(!store.has(&good.pfn).await.unwrap());
    assert!(matches!(download(&store, &good.pfn).await, Err(StoreError::Missing)));
    for wrong in [&[&b"some byte"[..]][..], &[b"some bytes", b"!"], &[b"other byte"], &[]] {
        assert!(matches!(upload(&store, &good, wrong).await, Err(StoreError::Mismatch(_))));
        assert!(!store.has(&good.pfn).await.unwrap());
    }
    assert_eq!(unfinished(dir.path()), 0, "refused uploads leave nothing");
    upload(&store, &good, &[b"some", b" bytes"]).await.unwrap();
    upload(&store, &good, &[b"some bytes"]).await.unwrap();
    assert_eq!(download(&store, &good.pfn).await.unwrap(), b"some bytes");
    assert!(store.remove(vec![good.pfn.clone(), announced("bob", b"x").pfn]).await.left.is_empty());
    assert!(!store.has(&good.pfn).await.unwrap());
    assert_eq!(unfinished(dir.path()), 0);
}

#[tokio::test]
async fn names_never_leave_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = Directory::open(&dir.path().join("store")).unwrap();
    for user in ["..", ".", "~", "%2E%2E", "a\\b", "a b", "ü", ".signing-key"] {
        let odd = announced(user, user.as_bytes());
        upload(&store, &odd, &[user.as_bytes()]).await.unwrap();
        assert_eq!(download(&store, &odd.pfn).await.unwrap(), user.as_bytes());
    }
    let users = store.root.join("sandboxes/alpha/users");
    assert_eq!(fs::read_dir(users).unwrap().count(), 8, "each has a directory of its own");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(file_name("..") + &file_name("a/b"), "%2E.a%2Fb");
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Directory::open(dir.path()).unwrap();
    let good = announced("alice", b"some bytes");
    let form = store.sign_upload(&good, now(), VALID).unwrap();
    let ticket = store.permits_upload("sandboxes", &form.fields, now()).unwrap();
    let mut incoming = store.receive(ticket).await.unwrap();
    incoming.write(b"some").await.unwrap();
    assert_eq!(unfinished(dir.path()), 1);
    drop(incoming);
    assert_eq!(unfinished(dir.path()), 0);

    let old = dir.path().join(INCOMING).join("old");
    fs::write(&old, b"x").unwrap();
    fs::File::open(&old).unwrap().set_modified(SystemTime::now() - 2 * LEFTOVER).unwrap();
    fs::write(dir.path().join(INCOMING).join("new"), b"x").unwrap();
    store.remove_leftovers().await;
    assert_eq!(unfinished(dir.path()), 1);
}

#[test]
fn processes_that_share_the_directory_share_its_key() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let forms: BTreeSet<_> = std::thread::scope(|scope| {
        let open =
            || Directory::open(dir.path()).unwrap().sign_upload(&announced("a", b"x"), now(), VALID).unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().fields).collect()
    });
    assert_eq!(forms.len(), 1);
    assert_eq!(fs::metadata(dir.path().join(KEY)).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(dir.path().join(KEY), b"short").unwrap();
    let error = Directory::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains(".signing-key is not a key of 32 bytes"), "{error}");
}
