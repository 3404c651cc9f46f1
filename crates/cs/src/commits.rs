//! Changing a configuration in a repository of this machine, by commits.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use gix::{
    bstr::BStr,
    objs::{Tree, tree::Entry},
    refs::FullName,
};

use crate::{
    MAX_DOCUMENT_BYTES, SourceUrl, SourceUrlError,
    admin::EMPTY,
    source::{DOCUMENT, git::chain},
};

/// Why a repository cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Not a repository on this machine.
    #[error(transparent)]
    Url(#[from] SourceUrlError),
    /// A repository elsewhere, or a plain file.
    #[error("{0} cannot be changed from here; clone it, and give the path of the clone")]
    Remote(String),
    /// The place of a new repository is taken.
    #[error("Directory {} already exists", .0.display())]
    Exists(PathBuf),
    /// git does not do it.
    #[error("{}: {reason}", path.display())]
    Git {
        /// The repository.
        path: PathBuf,
        /// What and why.
        reason: String,
    },
    /// Somebody has changed the file without a commit.
    #[error("{} has changes that are not committed; commit or undo them first", .0.display())]
    Uncommitted(PathBuf),
    /// The commit is there, but not in the work tree.
    #[error("the change is committed, but cannot be written to {}: {reason}", path.display())]
    WorkTree {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A repository with a configuration, on the branch that is to be changed.
pub struct Repository {
    git: gix::Repository,
    path: PathBuf,
    branch: FullName,
    /// The file in the work tree, if the branch is checked out there.
    file: Option<PathBuf>,
}

/// What is at the end of the branch.
pub struct Head {
    commit: gix::ObjectId,
    tree: Tree,
    /// The configuration.
    pub text: String,
}

/// The path and the revision, if one is named.
fn local(location: &str) -> Result<(PathBuf, Option<String>), CommitError> {
    let url: SourceUrl = location.parse()?;
    let named = location.split_once('?').is_some_and(|(_, query)| query.contains("revision="));
    match url {
        SourceUrl::LocalGit { path, revision } => Ok((path, named.then_some(revision))),
        other => Err(CommitError::Remote(other.to_string())),
    }
}

/// Makes a repository with an empty configuration, on the branch `master`, and tells where the configuration is. The
/// directory must be empty or absent.
pub fn create(location: &str) -> Result<PathBuf, CommitError> {
    let (path, _) = local(location)?;
    let entries = fs::read_dir(&path).map(|mut entries| entries.next().is_some());
    match entries {
        Ok(false) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        _ => return Err(CommitError::Exists(path)),
    }
    let failed = |reason: String| CommitError::Git { path: path.clone(), reason };
    fs::create_dir_all(&path).map_err(|error| failed(error.to_string()))?;
    let options = gix::open::Options::default().config_overrides(["init.defaultBranch=master"]);
    gix::ThreadSafeRepository::init_opts(
        &path,
        gix::create::Kind::WithWorktree,
        gix::create::Options::default(),
        options,
    )
    .map_err(|error| failed(chain(&error)))?;
    let repository = Repository {
        git: gix::open(&path).map_err(|error| failed(chain(&error)))?,
        path: path.clone(),
        branch: "refs/heads/master".try_into().map_err(|_| failed("no branch".to_owned()))?,
        file: Some(path.join(DOCUMENT)),
    };
    repository.write(None, EMPTY, "Initial commit")?;
    Ok(repository.file())
}

impl Repository {
    /// A repository by its URL or path: on the branch that `?revision=` names, or on the one that is checked out.
    pub fn open(location: &str) -> Result<Self, CommitError> {
        let (path, revision) = local(location)?;
        let failed = |reason: String| CommitError::Git { path: path.clone(), reason };
        let git = gix::open(&path)
            .map_err(|error| failed(format!("is not a git repository: {}", chain(&error))))?;
        let head = git.head_name().map_err(|error| failed(chain(&error)))?;
        let branch = match revision {
            None => head
                .clone()
                .ok_or_else(|| failed("no branch is checked out; name one with ?revision=".to_owned()))?,
            Some(revision) => {
                let name = format!("refs/heads/{revision}");
                let branch = FullName::try_from(name.as_str())
                    .map_err(|_| failed(format!("{revision} is no name of a branch")))?;
                if git.try_find_reference(branch.as_ref()).ok().flatten().is_none() {
                    return Err(failed(format!("there is no branch {revision}")));
                }
                branch
            }
        };
        let file = git.workdir().filter(|_| head.as_ref() == Some(&branch)).map(|tree| tree.join(DOCUMENT));
        Ok(Self { git, path, branch, file })
    }

    /// Where the configuration is, as people call it.
    pub fn file(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| self.path.join(DOCUMENT))
    }

    fn failed(&self, reason: impl Into<String>) -> CommitError {
        CommitError::Git { path: self.path.clone(), reason: reason.into() }
    }

    fn git<T, E: std::error::Error>(&self, result: Result<T, E>) -> Result<T, CommitError> {
        result.map_err(|error| self.failed(chain(&error)))
    }

    /// The configuration at the end of the branch.
    pub fn head(&self) -> Result<Head, CommitError> {
        let mut branch = self.git(self.git.find_reference(self.branch.as_ref()))?;
        let commit = self.git(branch.peel_to_commit())?;
        let tree = self.git(commit.tree())?;
        let decoded: Tree = self.git(tree.decode())?.into();
        let entry = decoded.entries.iter().find(|entry| entry.filename == DOCUMENT);
        let entry = entry.filter(|entry| entry.mode.is_blob());
        let entry = entry.ok_or_else(|| self.failed(format!("has no file {DOCUMENT}")))?;
        let size = self.git(self.git.find_header(entry.oid))?.size();
        if size > MAX_DOCUMENT_BYTES {
            return Err(
                self.failed(format!("{DOCUMENT} has {size} bytes, and {MAX_DOCUMENT_BYTES} are allowed"))
            );
        }
        let mut blob = self.git(self.git.find_object(entry.oid))?;
        let text = String::from_utf8(std::mem::take(&mut blob.data))
            .map_err(|error| self.failed(format!("{DOCUMENT} is no text: {error}")))?;
        if let Some(file) = &self.file
            && !fs::read(file).is_ok_and(|present| present == text.as_bytes())
        {
            return Err(CommitError::Uncommitted(file.clone()));
        }
        Ok(Head { commit: commit.id, tree: decoded, text })
    }

    /// Makes a commit of nothing but the new text, on top of what [`Repository::head`] gave. If somebody else has
    /// made one meanwhile, nothing changes.
    pub fn commit(&self, head: Head, text: &str, message: &str) -> Result<(), CommitError> {
        self.write(Some(head), text, message)
    }

    fn write(&self, head: Option<Head>, text: &str, message: &str) -> Result<(), CommitError> {
        let blob = self.git(self.git.write_blob(text))?.detach();
        let (parent, mut tree) = match head {
            Some(Head { commit, tree, .. }) => (Some(commit), tree),
            None => (None, Tree::empty()),
        };
        if let Some(entry) = tree.entries.iter_mut().find(|entry| entry.filename == DOCUMENT) {
            entry.oid = blob;
        } else {
            let mode = gix::objs::tree::EntryKind::Blob.into();
            tree.entries.push(Entry { mode, filename: DOCUMENT.into(), oid: blob });
            tree.entries.sort();
        }
        let tree = self.git(self.git.write_object(&tree))?.detach();
        let mut git = self.git.clone();
        // Who has told git no name makes commits nevertheless.
        let committer = git.committer_or_set_fallback("dirac", "dirac@localhost");
        let committer = self.git(committer.and_then(|signature| signature.to_owned()))?;
        let author = match git.author() {
            Some(author) => self.git(author.and_then(|signature| signature.to_owned()))?,
            None => committer.clone(),
        };
        let (mut committed, mut written) = Default::default();
        let (committer, author) = (committer.to_ref(&mut committed), author.to_ref(&mut written));
        self.git(git.commit_as(committer, author, self.branch.clone(), message, tree, parent).map(|_| ()))?;
        match &self.file {
            Some(file) => self
                .write_work_tree(file, text, tree, blob)
                .map_err(|reason| CommitError::WorkTree { path: file.clone(), reason }),
            None => Ok(()),
        }
    }

    /// The file, and what git remembers of it.
    fn write_work_tree(
        &self,
        file: &Path,
        text: &str,
        tree: gix::ObjectId,
        blob: gix::ObjectId,
    ) -> Result<(), String> {
        fs::write(file, text).map_err(|error| error.to_string())?;
        let mut index = if self.git.index_path().exists() {
            self.git.open_index().map_err(|error| chain(&error))?
        } else {
            self.git.index_from_tree(&tree).map_err(|error| chain(&error))?
        };
        let stage = gix::index::entry::Stage::Unconflicted;
        if let Some(entry) = index.entry_mut_by_path_and_stage(BStr::new(DOCUMENT), stage) {
            entry.id = blob;
            entry.stat = gix::index::fs::Metadata::from_path_no_follow(file)
                .ok()
                .and_then(|metadata| gix::index::entry::Stat::from_fs(&metadata).ok())
                .unwrap_or_default();
        }
        // It remembers trees that have changed.
        index.remove_tree();
        index.write(gix::index::write::Options::default()).map_err(|error| chain(&error))
    }
}
