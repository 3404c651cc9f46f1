#![doc = include_str!("../README.md")]

pub mod error;
pub mod migrate;
pub mod mysql;
pub mod search;
pub mod sqlite;
pub mod statement;
pub mod time;
pub mod together;
pub mod unit;
pub mod url;

pub use error::{DbError, DbResult, UnitError};
pub use migrate::{Migrations, migrate};
pub use statement::Bind;
pub use time::UtcTime;
pub use together::Together;
pub use unit::{DbIndex, Deadline};
pub use url::{DbKind, DbUrl, DbUrls};
