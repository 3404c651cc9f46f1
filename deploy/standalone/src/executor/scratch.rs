//! The directory in which a job runs. It is also the note that the job is ours: what is found at a start
//! was left by an earlier process.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use diracx_core::JobId;

/// The directory of all jobs of this executor.
#[derive(Debug, Clone)]
pub(super) struct ScratchSpace(PathBuf);

/// The directory of one job; removed with this value.
#[derive(Debug)]
pub(super) struct Scratch {
    directory: PathBuf,
}

impl ScratchSpace {
    /// Makes the directory if it is missing.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        // Resolved, because processes are recognised by it.
        Ok(Self(directory.canonicalize()?))
    }

    /// An empty directory for this job.
    pub(super) fn create(&self, job: JobId) -> io::Result<Scratch> {
        let directory = self.of(job);
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&directory)?,
        }
        Ok(Scratch { directory })
    }

    /// The jobs that an earlier process left behind. Their processes are killed.
    pub(super) fn leftovers(&self) -> io::Result<Vec<JobId>> {
        let mut jobs = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            jobs.extend(name.to_str().and_then(|name| name.parse::<JobId>().ok()));
        }
        if !jobs.is_empty() {
            super::process::kill_everything_below(&self.0);
        }
        Ok(jobs)
    }

    /// Removes what is left of a job.
    pub(super) fn forget(&self, job: JobId) -> io::Result<()> {
        match fs::remove_dir_all(self.of(job)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn of(&self, job: JobId) -> PathBuf {
        self.0.join(job.to_string())
    }
}

impl Scratch {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.directory
    }

    /// A file in the directory, given by the job: it cannot point outside.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        let inside = Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        (inside && !name.is_empty() && !name.contains('\0')).then(|| self.directory.join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove {}: {error}", self.directory.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_names_only_files_of_its_own_directory() {
        let root = tempfile::tempdir().unwrap();
        let scratch = ScratchSpace::open(root.path()).unwrap().create(JobId(7)).unwrap();
        assert_eq!(scratch.file("std.out"), Some(scratch.path().join("std.out")));
        assert_eq!(scratch.file("logs/out"), Some(scratch.path().join("logs/out")));
        for outside in ["../x", "/etc/passwd", "", "a/../../b", "a\0b"] {
            assert_eq!(scratch.file(outside), None, "{outside}");
        }
    }

    #[test]
    fn directories_go_with_their_jobs_and_what_is_left_is_found() {
        let root = tempfile::tempdir().unwrap();
        let space = ScratchSpace::open(root.path()).unwrap();
        drop(space.create(JobId(1)).unwrap());
        let left = space.create(JobId(2)).unwrap();
        fs::write(left.path().join("x"), "x").unwrap();
        std::mem::forget(left);
        assert_eq!(space.leftovers().unwrap(), [JobId(2)]);
        assert_eq!(fs::read_dir(space.create(JobId(2)).unwrap().path()).unwrap().count(), 0);
        assert_eq!(space.leftovers().unwrap(), []);
    }
}
