//! Units of work, on both backends, compiled from one source.

mod mysql;
mod sqlite;
