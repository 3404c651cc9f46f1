//! Compiles the contract: message types and services into Rust, and the descriptor set that servers read.
//!
//! No `protoc` is needed. Two things differ from a plain build: the descriptor set keeps the custom options
//! (who may call an rpc), and messages with fields marked `debug_redact` get a `Debug` that hides them.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use protox::prost_reflect::{DescriptorPool, MessageDescriptor};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=diracx");
    println!("cargo::rerun-if-changed=google");

    let mut files = Vec::new();
    find_protos(&root.join("diracx"), &mut files)?;
    files.sort();
    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    let sources = compiler.file_descriptor_set();
    let pool = compiler.descriptor_pool();
    compiler.include_source_info(false);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;

    let redacted = messages_with_secrets(&pool);
    tonic_prost_build::configure()
        .generate_default_stubs(true)
        .extern_path(".google.rpc", "::tonic_types")
        .skip_debug(redacted.iter().map(|message| format!(".{}", message.full_name())))
        .compile_fds(sources)?;
    fs::write(out.join("redacted.rs"), redacting_debug(&redacted)?)?;
    Ok(())
}

/// All `.proto` files below `directory`.
fn find_protos(directory: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            find_protos(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}

/// The messages of ours that have a field marked `debug_redact`, by name.
fn messages_with_secrets(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    let mut messages: Vec<_> = pool
        .all_messages()
        .filter(|message| message.package_name().starts_with("diracx."))
        .filter(|message| message.fields().any(|field| is_secret(&field)))
        .collect();
    messages.sort_by(|a, b| a.full_name().cmp(b.full_name()));
    messages
}

fn is_secret(field: &protox::prost_reflect::FieldDescriptor) -> bool {
    field.options().get_field_by_name("debug_redact").is_some_and(|value| value.as_bool() == Some(true))
}

/// A `Debug` for each message: its secret fields are shown as `***`.
fn redacting_debug(messages: &[MessageDescriptor]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for message in messages {
        let path = message.package_name().split('.').skip(1).collect::<Vec<_>>().join("::");
        writeln!(text, "impl ::core::fmt::Debug for crate::{path}::{} {{", message.name())?;
        writeln!(text, "    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{")?;
        writeln!(text, "        f.debug_struct(\"{}\")", message.name())?;
        let plain_fields = message.fields().filter(|f| f.containing_oneof().is_none_or(|o| o.is_synthetic()));
        for field in plain_fields {
            let name = field.name();
            if is_secret(&field) {
                writeln!(text, "            .field(\"{name}\", &format_args!(\"***\"))")?;
            } else {
                writeln!(text, "            .field(\"{name}\", &self.{name})")?;
            }
        }
        for group in message.oneofs().filter(|group| !group.is_synthetic()) {
            writeln!(text, "            .field(\"{0}\", &self.{0})", group.name())?;
        }
        writeln!(text, "            .finish()\n    }}\n}}\n")?;
    }
    Ok(text)
}
