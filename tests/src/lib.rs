#![doc = include_str!("../README.md")]

pub mod as_it_is;
pub mod browser;
pub mod dirac;
pub mod http;
pub mod identity_provider;
pub mod mesh;
pub mod openid_provider;
pub mod person;
pub mod proxy;
pub mod replay;
pub mod tokens;
pub mod tools;
pub mod web_driver;
