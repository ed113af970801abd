//! Changes to `flockscope.toml`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike};

use crate::documents::toml_value;
use crate::load::{by_call, check_value, find};
use crate::{Problem, Setting};

/// Why the file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The key or the value will not do.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// What the file holds already is no TOML, or a section is no table.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl From<Problem> for EditError {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

/// Sets a value in a `flockscope.toml`, which is made if it is missing. Comments, order and all other values stay, and
/// whoever reads the file meanwhile sees the whole old or the whole new one.
///
/// Secrets are refused: the file is often shared.
pub fn set_in_file(file: &Path, key: &str, text: &str) -> Result<(), EditError> {
    let setting = find(key)?;
    if setting.is_secret() {
        let what = format!(
            "is a secret, which belongs in .env or the environment: {}",
            setting.variable
        );
        return Err(Problem::about(setting, &by_call(setting), &what).into());
    }
    check_value(key, text)?;
    edit(file, |document| {
        let section = section(document, setting)?;
        let mut value = toml_value(setting, text);
        match section.get_mut(setting.name()) {
            Some(Item::Value(old)) => {
                // A comment behind the value belongs to its line.
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            _ => {
                section.insert(setting.name(), Item::Value(value));
            }
        }
        Ok(())
    })
}

/// Takes a value out of a `flockscope.toml`, so that the default counts again. It is no error if it is not there.
pub fn unset_in_file(file: &Path, key: &str) -> Result<(), EditError> {
    let setting = find(key)?;
    if !file.exists() {
        return Ok(());
    }
    edit(file, |document| {
        if document.contains_key(setting.section()) {
            section(document, setting)?.remove(setting.name());
        }
        Ok(())
    })
}

fn section<'a>(document: &'a mut DocumentMut, setting: &Setting) -> Result<&'a mut dyn TableLike, String> {
    let name = setting.section();
    let item = document.entry(name).or_insert_with(toml_edit::table);
    item.as_table_like_mut()
        .ok_or_else(|| format!("{name} is a section, and must be a table: [{name}]"))
}

fn edit(file: &Path, change: impl FnOnce(&mut DocumentMut) -> Result<(), String>) -> Result<(), EditError> {
    let io_error = |source| EditError::Io {
        path: file.to_owned(),
        source,
    };
    let content_error = |what| EditError::Content {
        path: file.to_owned(),
        what,
    };
    let old = match fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(io_error(error)),
    };
    let text = old.as_deref().unwrap_or_default();
    let parsed = text.parse::<DocumentMut>();
    let mut document = parsed.map_err(|error| content_error(format!("is no TOML: {}", error.message().trim())))?;
    change(&mut document).map_err(content_error)?;
    let new = document.to_string();
    match old.as_deref() == Some(new.as_str()) {
        true => Ok(()),
        false => replace(file, &new).map_err(io_error),
    }
}

/// Writes a file whole or not at all, and leaves it the permissions that it has.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    // What a link leads to is to be replaced, not the link.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = target
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".flockscope-");
    let permissions = fs::metadata(&target).ok().map(|metadata| metadata.permissions());
    #[cfg(unix)]
    if permissions.is_none() {
        use std::os::unix::fs::PermissionsExt;
        // A new file is as readable as any other: the process's mask is taken off by the system.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder.tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    if let Some(permissions) = permissions {
        temporary.as_file().set_permissions(permissions)?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(&target)?;
    Ok(())
}
