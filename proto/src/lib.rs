#![doc = include_str!("../README.md")]

mod convert;

pub use convert::{Invalid, pilot, search, status, time};

/// The whole contract as an encoded `google.protobuf.FileDescriptorSet`, with everything it imports.
///
/// It keeps the custom options, which say who may call an rpc, and has no comments.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// One module per package, named as the package is.
macro_rules! packages {
    ($($(#[$doc:meta])* $router:ident = $package:literal),+ $(,)?) => {$(
        $(#[$doc])*
        pub mod $router {
            /// Version 1, the only one.
            #[allow(missing_docs, rustdoc::all, clippy::all, clippy::pedantic)]
            pub mod v1 {
                tonic::include_proto!($package);
            }
        }
    )+};
}

packages! {
    /// How an rpc declares who may call it.
    options = "diracx.options.v1",
    /// What several services share: searches, tables, the reasons of errors.
    common = "diracx.common.v1",
    /// Logins and tokens.
    auth = "diracx.auth.v1",
    /// The configuration of the VOs.
    config = "diracx.config.v1",
    /// Jobs and their sandboxes.
    jobs = "diracx.jobs.v1",
    /// Pilots, their logs and their credentials.
    pilots = "diracx.pilots.v1",
    /// The status of computing resources.
    rss = "diracx.rss.v1",
    /// The work of the system itself.
    tasks = "diracx.tasks.v1",
}

mod redacted {
    //! `Debug` of the messages that hold secrets or the texts of users, made by `build.rs` from the field
    //! option `debug_redact`.

    include!(concat!(env!("OUT_DIR"), "/redacted.rs"));
}
