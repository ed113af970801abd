//! What archiving, deleting, compacting and backing up have in common.

use std::sync::{MutexGuard, PoisonError};

use crate::{Store, StoreError};

impl Store {
    /// The right to care for the store; one at a time has it.
    pub(crate) fn care(&self) -> MutexGuard<'_, ()> {
        self.care.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn must_be_a_file(&self, purpose: &'static str) -> Result<(), StoreError> {
        if self.is_in_memory() {
            Err(StoreError::InMemory(purpose))
        } else {
            Ok(())
        }
    }

    /// Moves what is in the write-ahead log into the file, and frees the blocks of what was deleted.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        let writer = self.writer()?;
        writer
            .execute_batch("CHECKPOINT")
            .map_err(|error| self.write_error(error))
    }
}
