//! The configuration of an installation: its schema, defaults and errors.
