//! What whoever runs a job needs of its description.

use super::{
    error::{JdlError, Located, Problem},
    manifest::Manifest,
    reader::Wrapped,
    value::pieces,
};

/// The program of a job, and the files that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The program.
    pub executable: String,
    /// Its command line without the program, not split; empty if there is none.
    pub arguments: String,
    /// The file its standard output goes to.
    pub std_output: Option<String>,
    /// The file its standard error goes to.
    pub std_error: Option<String>,
    /// What it finds when it starts: file names, `SB:…` and `LFN:…`.
    pub input_sandbox: Vec<String>,
    /// The files to bring back, patterns included.
    pub output_sandbox: Vec<String>,
}

/// The payload that a stored JDL describes.
///
/// # Errors
/// If the text is no JDL, or names no program.
pub fn payload(jdl: &str) -> Result<Payload, JdlError> {
    read(jdl).map_err(|located| JdlError::refused(0, located))
}

fn read(jdl: &str) -> Result<Payload, Located> {
    let manifest = Manifest::from_record(Wrapped::new(jdl)?.read()?)?;
    let text = |key| {
        let text = manifest.text(key)?.filter(|text| !text.is_empty());
        Ok::<_, Problem>(text.map(str::to_owned))
    };
    let list = |key| {
        let text = manifest.text(key)?.unwrap_or_default();
        Ok::<_, Problem>(pieces(text).map(str::to_owned).collect())
    };
    Ok(Payload {
        executable: text("Executable")?.ok_or(Problem::NoExecutable)?,
        arguments: text("Arguments")?.unwrap_or_default(),
        std_output: text("StdOutput")?,
        std_error: text("StdError")?,
        input_sandbox: list("InputSandbox")?,
        output_sandbox: list("OutputSandbox")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_keeps_its_arguments_as_they_were_quoted() {
        let jdl = r#"[
            Executable = "/bin/sh"; Arguments = "-c 'echo a; echo [b], c'";
            StdOutput = "std.out"; OutputSandbox = {"std.out", "a b.txt"};
        ]"#;
        let payload = payload(jdl).unwrap();
        assert_eq!(payload.executable, "/bin/sh");
        assert_eq!(payload.arguments, "-c 'echo a; echo [b], c'");
        assert_eq!((payload.std_output, payload.std_error), (Some("std.out".into()), None));
        assert_eq!(payload.output_sandbox, ["std.out", "a b.txt"]);
    }

    #[test]
    fn a_payload_needs_a_program() {
        let error = payload("[ Arguments = 1; ]").unwrap_err();
        assert_eq!(error.cause(), "Executable is missing");
    }
}
