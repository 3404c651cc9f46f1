//! Client versions, as PEP 440 has them.
/// Placeholder until the version type lands.
#[derive(Debug)]
pub struct Version;
