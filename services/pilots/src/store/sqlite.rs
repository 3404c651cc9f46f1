//! The store on SQLite: the code of the folder `sql`, compiled for it.

use diracx_db::sqlite::{Conn, Databases, Tx, dialect, search, summary};

#[path = "sql/mod.rs"]
mod sql;

pub(super) use sql::Store;
