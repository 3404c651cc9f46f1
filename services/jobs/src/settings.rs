//! Settings of the jobs service.
