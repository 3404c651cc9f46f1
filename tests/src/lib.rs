#![doc = include_str!("../README.md")]

pub mod http;
pub mod identity_provider;
pub mod replay;
pub mod tokens;
