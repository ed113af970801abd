//! How far the sources of a store have been read, so that the next process reads on from there.

use duckdb::{OptionalExt, params};

use crate::{Store, StoreError};

impl Store {
    /// The position that was kept for a source last, in the words of whoever kept it. `None` for an unknown source.
    pub fn source_position(&self, source: &str) -> Result<Option<String>, StoreError> {
        let connection = self.reader()?;
        let position = connection
            .query_row(
                "SELECT position FROM source_positions WHERE source = ?",
                [source],
                |row| row.get(0),
            )
            .optional()?;
        Ok(position)
    }

    /// Keeps a position of a source, in place of an earlier one.
    pub fn set_source_position(&self, source: &str, position: &str) -> Result<(), StoreError> {
        self.writer()?
            .execute(
                "INSERT INTO source_positions VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET position = excluded.position",
                params![source, position],
            )
            .map_err(|error| self.write_error(error))?;
        Ok(())
    }
}
