//! A file of a cache: written all or nothing, and read only if it is whole and of the version that is meant.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// What kind of file it is.
#[derive(Debug, Clone, Copy)]
pub struct CacheFile {
    /// The first bytes.
    pub magic: [u8; 8],
    /// Counted up when the content changes: a file of another format is not read.
    pub format: u32,
    /// A larger file is none of ours, in bytes.
    pub largest: u64,
}

impl CacheFile {
    /// Writes a content.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&self.magic)?;
        file.write_all(&self.format.to_le_bytes())?;
        file.write_all(&crc32fast::hash(content).to_le_bytes())?;
        file.write_all(content)?;
        file.persist(path)?;
        Ok(())
    }

    /// The content; none if there is no file, or it is damaged, of another kind or of another format.
    pub fn load(&self, path: &Path) -> Option<Vec<u8>> {
        if fs::metadata(path).ok()?.len() > self.largest {
            return None;
        }
        let mut bytes = fs::read(path).ok()?;
        let rest = bytes.strip_prefix(&self.magic)?;
        let (format, rest) = rest.split_first_chunk::<4>()?;
        let (sum, content) = rest.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*format) != self.format || u32::from_le_bytes(*sum) != crc32fast::hash(content) {
            return None;
        }
        let head = bytes.len() - content.len();
        bytes.drain(..head);
        Some(bytes)
    }
}
