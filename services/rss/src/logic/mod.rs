//! The rules of resource statuses. What decides is pure; what reads and writes surrounds it.

pub mod administer;
pub mod due;
pub mod history;
pub mod keeper;
pub mod list;
pub mod plan;
pub mod view;
