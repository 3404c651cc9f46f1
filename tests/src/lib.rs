#![doc = include_str!("../README.md")]

pub mod browser;
pub mod dirac;
pub mod http;
pub mod identity_provider;
pub mod mesh;
pub mod replay;
pub mod tokens;
