#![doc = include_str!("../README.md")]

pub mod archive;
pub mod sandboxes;
pub mod transfer;

pub use archive::{Limits, Packed, Unpacked, pack, unpack};
pub use sandboxes::{SandboxError, Sandboxes, Which};
pub use transfer::{Progress, Transfer, TransferError};
