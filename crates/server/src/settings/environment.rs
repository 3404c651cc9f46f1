//! The environment of the process: its variables, and the dotenv files that they name.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Names the first dotenv file; with `_<N>` behind it, further ones.
const DOTENV: &str = "DIRACX_SERVICE_DOTENV";

/// All variables. Names are found whatever their case, as DiracX finds them.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// Why a dotenv file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DotenvError {
    /// It cannot be read.
    #[error("the file {} cannot be read: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// It sets nothing.
    #[error("the file {} sets no variable", .0.display())]
    Empty(PathBuf),
    /// A line of it is no assignment.
    #[error("line {line} of the file {} is not NAME=value", .path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
    },
}

impl Environment {
    /// The variables of the process and of the dotenv files that they name. What is set already stays:
    /// the real environment wins over the first file, and that over later ones.
    pub fn load() -> (Self, Vec<(String, DotenvError)>) {
        let text = |value: OsString| value.into_string().ok();
        Self::from_variables(
            std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))),
        )
    }

    /// The same, from given variables instead of those of the process. Each dotenv file that
    /// cannot be used is told with the variable that names it.
    pub fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> (Self, Vec<(String, DotenvError)>) {
        let mut environment = Self::default();
        for (name, value) in variables {
            // a name written as DiracX documents it wins over another spelling
            let canonical = name.to_ascii_uppercase();
            if name == canonical || !environment.variables.contains_key(&canonical) {
                environment.variables.insert(canonical, value);
            }
        }
        let mut problems = Vec::new();
        for (name, path) in environment.dotenv_files() {
            match read_dotenv(Path::new(&path)) {
                Err(error) => problems.push((name, error)),
                Ok(assignments) => {
                    for (name, value) in assignments {
                        environment.variables.entry(name.to_ascii_uppercase()).or_insert(value);
                    }
                }
            }
        }
        (environment, problems)
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(&name.to_ascii_uppercase()).map(String::as_str)
    }

    /// All variables that start with `prefix`: the rest of the name (in capitals) and the value.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.variables
            .range(prefix.to_owned()..)
            .map_while(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    /// The dotenv files in their order: the plain variable, then by number.
    fn dotenv_files(&self) -> Vec<(String, String)> {
        let mut files: Vec<(Option<u64>, String, String)> = self
            .with_prefix(DOTENV)
            .filter_map(|(rest, path)| {
                let name = format!("{DOTENV}{rest}");
                if rest.is_empty() {
                    return Some((None, name, path.to_owned()));
                }
                let number = rest.strip_prefix('_')?;
                let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| Some((Some(number.parse().ok()?), name, path.to_owned())))?
            })
            .collect();
        files.sort();
        files.into_iter().map(|(_, name, path)| (name, path)).collect()
    }
}

fn read_dotenv(path: &Path) -> Result<Vec<(String, String)>, DotenvError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| DotenvError::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
    let mut assignments = Vec::new();
    for (position, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let assignment = line.strip_prefix("export ").unwrap_or(line).split_once('=');
        let name_is_good = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match assignment.map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, value)) if name_is_good(name) => {
                assignments.push((name.to_owned(), unquoted(value)));
            }
            _ => return Err(DotenvError::BadLine { path: path.to_owned(), line: position + 1 }),
        }
    }
    if assignments.is_empty() { Err(DotenvError::Empty(path.to_owned())) } else { Ok(assignments) }
}

/// A value without its quotes or, if it has none, without the comment behind it.
fn unquoted(value: &str) -> String {
    for quote in ['\'', '"'] {
        if let Some((inside, _)) = value.strip_prefix(quote).and_then(|rest| rest.rsplit_once(quote)) {
            return if quote == '"' {
                inside.replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\")
            } else {
                inside.to_owned()
            };
        }
    }
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end()).to_owned()
}
