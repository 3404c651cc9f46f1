//! What the resource status service works with.

use std::sync::Arc;

use diracx_core::Clock;

use crate::{logic::keeper::Keeper, store::StatusStore};

/// What the resource status service works with. Cheap to clone.
#[derive(Clone)]
pub struct Deps {
    /// What is kept.
    pub store: Arc<dyn StatusStore>,
    /// The same in memory.
    pub keeper: Keeper,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Deps {
    /// Over a store whose statuses are kept in memory from now on.
    ///
    /// Must be called within a runtime.
    pub fn new(store: Arc<dyn StatusStore>, clock: Arc<dyn Clock>) -> Self {
        Self { keeper: Keeper::start(store.clone(), clock.clone()), store, clock }
    }
}
