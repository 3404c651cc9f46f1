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

/// The description with one more name in its `InputSandbox`.
///
/// # Errors
/// If the text is no JDL, or its `InputSandbox` no list of names.
pub fn with_input_sandbox(jdl: &str, name: &str) -> Result<String, JdlError> {
    add_input_sandbox(jdl, name).map_err(|located| JdlError::refused(0, located))
}

fn add_input_sandbox(jdl: &str, name: &str) -> Result<String, Located> {
    let inputs = |text: &str| {
        let manifest = Manifest::from_record(Wrapped::new(text)?.read()?)?;
        let text = manifest.text("InputSandbox")?.unwrap_or_default();
        Ok::<Vec<String>, Located>(pieces(text).map(str::to_owned).collect())
    };
    let mut wanted = inputs(jdl)?;
    wanted.push(name.to_owned());
    let wrapped = Wrapped::new(jdl)?.text;
    let before = wrapped.strip_suffix(']').unwrap_or(&wrapped).trim_end();
    let quoted: Vec<String> = wanted.iter().map(|name| format!("\"{name}\"")).collect();
    // The last of several wins. Whether the text before it has its semicolon, reading tells.
    let text = |end: &str| format!("{before}{end}\nInputSandbox = {{{}}};\n]", quoted.join(", "));
    let fits = |text: &String| inputs(text).is_ok_and(|found| found == wanted);
    let found = ["", ";", "\n;"].iter().map(|end| text(end)).find(fits);
    found.ok_or_else(|| Problem::NotAValue("InputSandbox").into())
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
    fn a_sandbox_is_added_to_those_that_a_description_names() {
        for jdl in [
            "Executable = \"/bin/cat\"",
            "Executable = \"/bin/cat\";",
            "[\n  Executable = \"/bin/cat\";\n  InputSandbox = {};\n]\n",
        ] {
            let added = with_input_sandbox(jdl, "SB:SandboxSE|/S3/x").unwrap();
            let twice = with_input_sandbox(&added, "SB:SandboxSE|/S3/y").unwrap();
            let payload = payload(&twice).unwrap();
            assert_eq!(payload.executable, "/bin/cat");
            assert_eq!(payload.input_sandbox, ["SB:SandboxSE|/S3/x", "SB:SandboxSE|/S3/y"], "{twice}");
        }
        assert!(with_input_sandbox("[ Executable = ", "x").is_err());
    }

    #[test]
    fn a_payload_needs_a_program() {
        let error = payload("[ Arguments = 1; ]").unwrap_err();
        assert_eq!(error.cause(), "Executable is missing");
    }
}
