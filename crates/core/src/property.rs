//! Security properties: what a group of users may do.
