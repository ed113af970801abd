//! Which traces a person means: those of a path, or of the project that the working directory is in.

use std::fs;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use flockscope_sources::{SourceKind, detect};
use sha2::{Digest, Sha256};

use crate::ClientError;

/// Flock writes its traces here, in the folder that the program runs in.
const FLOCK_FOLDER: &str = ".flock";
const FLOCK_FILE: &str = "traces.duckdb";
/// Flockscope keeps its store beside it.
const OUR_FOLDER: &str = ".flockscope";
const STORE_FILE: &str = "store.duckdb";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// A file that a Flock program writes, or wrote. It is never opened in place: what it holds is kept in a store.
    Flock {
        /// Flock's file.
        file: PathBuf,
        /// The store that follows it.
        store: PathBuf,
        /// Whether the store keeps a project's history. If not, it only mirrors the file, and is made anew when the
        /// file became another one.
        keeps_history: bool,
    },
    /// A store that stands for itself.
    Store {
        /// The store's file.
        file: PathBuf,
    },
    /// Parquet, OTLP, Jaeger: read anew each time, into a store that is gone afterwards.
    Files {
        /// The file or folder.
        path: PathBuf,
    },
}

impl Located {
    /// The file or folder that a person knows.
    pub fn path(&self) -> &Path {
        match self {
            Self::Flock { file, .. } | Self::Store { file } => file,
            Self::Files { path } => path,
        }
    }

    /// The folder whose `.env` speaks of these traces: that of the project.
    pub fn project_folder(&self) -> Option<&Path> {
        match self {
            Self::Flock { file, .. } | Self::Store { file } => {
                let folder = file.parent()?;
                let is_ours = folder.ends_with(FLOCK_FOLDER) || folder.ends_with(OUR_FOLDER);
                if is_ours { folder.parent() } else { None }
            }
            Self::Files { .. } => None,
        }
    }
}

/// What a core process serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The store's file. It need not be there yet.
    pub store: PathBuf,
    /// The Flock file that it follows. It need not be there yet.
    pub follow: Option<PathBuf>,
    /// See [`Located::Flock`].
    pub keeps_history: bool,
}

impl Located {
    /// The store that a process can own, `None` for files that have none. The store of a project follows the file that
    /// the project's Flock program writes, or will write.
    pub fn served(&self) -> Option<Served> {
        match self {
            Self::Flock {
                file,
                store,
                keeps_history,
            } => Some(Served {
                store: store.clone(),
                follow: Some(file.clone()),
                keeps_history: *keeps_history,
            }),
            Self::Store { file } => Some(Served {
                store: file.clone(),
                follow: file
                    .ends_with(Path::new(OUR_FOLDER).join(STORE_FILE))
                    .then(|| self.project_folder())
                    .flatten()
                    .map(|project| project.join(FLOCK_FOLDER).join(FLOCK_FILE)),
                keeps_history: true,
            }),
            Self::Files { .. } => None,
        }
    }
}

/// As [`locate`], for a project in which nothing was traced yet: its store is to be made in the working directory. A
/// path at which nothing is names a store to be made, or a Flock file to be waited for.
pub fn locate_to_serve(working_directory: &Path, given: Option<&Path>) -> Result<Located, ClientError> {
    match locate(working_directory, given) {
        Err(ClientError::NothingFound { .. }) => Ok(Located::Store {
            file: project_store(working_directory)?,
        }),
        Err(ClientError::NoSuchPath { path }) if path.ends_with(Path::new(FLOCK_FOLDER).join(FLOCK_FILE)) => {
            flock_file(&path)
        }
        Err(ClientError::NoSuchPath { path }) if path.parent().is_some_and(Path::is_dir) => {
            Ok(Located::Store { file: path })
        }
        Ok(Located::Files { path }) => Err(ClientError::NotAStore { path }),
        located => located,
    }
}

/// Finds the traces of a given path; without one, those of the nearest folder, from the working directory upwards, that
/// has `.flock/traces.duckdb` or `.flockscope/store.duckdb`.
pub fn locate(working_directory: &Path, given: Option<&Path>) -> Result<Located, ClientError> {
    match given {
        Some(path) => located_at(&working_directory.join(path)),
        None => working_directory
            .ancestors()
            .find_map(|folder| of_project(folder).transpose())
            .unwrap_or_else(|| {
                Err(ClientError::NothingFound {
                    working_directory: working_directory.to_owned(),
                })
            }),
    }
}

/// As [`locate`], for a Flock file that need not be there yet: without a path that of the working directory.
pub fn locate_flock_file(working_directory: &Path, given: Option<&Path>) -> Result<Located, ClientError> {
    let located = match locate(working_directory, given) {
        Err(ClientError::NothingFound { .. }) => flock_file(&working_directory.join(FLOCK_FOLDER).join(FLOCK_FILE))?,
        Err(ClientError::NoSuchPath { path }) => flock_file(&path)?,
        located => located?,
    };
    let refused = |path: PathBuf, found| Err(ClientError::NotAFlockFile { path, found });
    match located {
        Located::Flock { .. } => Ok(located),
        // A project whose Flock file was deleted: the next run of the program makes it again.
        Located::Store { file } if given.is_none() => {
            let folder = file.parent().and_then(Path::parent).unwrap_or(working_directory);
            flock_file(&folder.join(FLOCK_FOLDER).join(FLOCK_FILE))
        }
        Located::Store { file } => refused(file, "a store"),
        Located::Files { path } => refused(path, "not one"),
    }
}

/// Where the store of the project is, or would be: the nearest project's, else in the working directory.
pub fn project_store(working_directory: &Path) -> Result<PathBuf, ClientError> {
    match locate(working_directory, None) {
        Ok(Located::Flock { store, .. }) => Ok(store),
        Ok(Located::Store { file }) => Ok(file),
        Ok(Located::Files { .. }) | Err(ClientError::NothingFound { .. }) => {
            let folder = working_directory.join(OUR_FOLDER);
            make_our_folder(&folder).map_err(ClientError::file(&folder))?;
            Ok(folder.join(STORE_FILE))
        }
        Err(error) => Err(error),
    }
}

/// Folder for what can be made again: stores of files outside of a project, the demo.
pub fn cache_folder() -> Result<PathBuf, ClientError> {
    let folders = ProjectDirs::from("", "", "flockscope").ok_or(ClientError::NoCacheFolder)?;
    Ok(folders.cache_dir().to_owned())
}

fn located_at(path: &Path) -> Result<Located, ClientError> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ClientError::NoSuchPath { path: path.to_owned() });
        }
        metadata => metadata.map_err(ClientError::file(path))?,
    };
    if metadata.is_dir() {
        let by_name = |folder, file| path.ends_with(folder) && path.join(file).is_file();
        return Ok(if let Some(project) = of_project(path)? {
            project
        } else if by_name(FLOCK_FOLDER, FLOCK_FILE) {
            flock_file(&path.join(FLOCK_FILE))?
        } else if by_name(OUR_FOLDER, STORE_FILE) {
            Located::Store {
                file: path.join(STORE_FILE),
            }
        } else {
            Located::Files { path: path.to_owned() }
        });
    }
    if has_store_folder(path) {
        return Ok(Located::Store { file: path.to_owned() });
    }
    match detect(path)? {
        SourceKind::Flock => flock_file(path),
        SourceKind::Store => Ok(Located::Store { file: path.to_owned() }),
        SourceKind::Parquet | SourceKind::OtlpJson | SourceKind::OtlpProtobuf | SourceKind::Jaeger => {
            Ok(Located::Files { path: path.to_owned() })
        }
    }
}

/// A store that was opened once has a folder beside it; no Flock file has. This spares a copy of a large store.
fn has_store_folder(path: &Path) -> bool {
    let mut name = path.as_os_str().to_owned();
    name.push(".d");
    Path::new(&name).join("archive").is_dir()
}

/// The traces of a project in this very folder.
fn of_project(folder: &Path) -> Result<Option<Located>, ClientError> {
    let flock = folder.join(FLOCK_FOLDER).join(FLOCK_FILE);
    if flock.is_file() {
        return flock_file(&flock).map(Some);
    }
    let file = folder.join(OUR_FOLDER).join(STORE_FILE);
    Ok(file.is_file().then_some(Located::Store { file }))
}

/// A Flock file and the place of its store: beside it in the project, or in the cache where there is no project, or none
/// that can be written to.
fn flock_file(file: &Path) -> Result<Located, ClientError> {
    if let Some(folder) = file.parent().filter(|folder| folder.ends_with(FLOCK_FOLDER))
        && let Some(project) = folder.parent()
    {
        let ours = project.join(OUR_FOLDER);
        if make_our_folder(&ours).is_ok() {
            return Ok(Located::Flock {
                file: file.to_owned(),
                store: ours.join(STORE_FILE),
                keeps_history: true,
            });
        }
    }
    let known_as = file
        .canonicalize()
        .or_else(|_| std::path::absolute(file))
        .map_err(ClientError::file(file))?;
    let digest = Sha256::digest(known_as.as_os_str().as_encoded_bytes());
    let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Located::Flock {
        file: file.to_owned(),
        store: cache_folder()?.join("stores").join(name).join(STORE_FILE),
        keeps_history: false,
    })
}

/// Makes the project's `.flockscope`, with a `.gitignore` that keeps all of it out of version control, and finds out
/// whether it can be written to.
fn make_our_folder(folder: &Path) -> std::io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        fs::write(&ignore, "*\n")?;
    }
    tempfile::tempfile_in(folder).map(|_| ())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn with_file(folder: &Path, name: &str) {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, "").expect("a file");
    }

    #[test]
    fn the_nearest_project_upwards_is_meant_and_its_store_lies_in_it() {
        let root = TempDir::new().expect("a folder");
        let below = root.path().join("project/src");
        fs::create_dir_all(&below).expect("a folder");
        with_file(root.path(), ".flockscope/store.duckdb");
        let outer = Located::Store {
            file: root.path().join(".flockscope/store.duckdb"),
        };
        assert_eq!(locate(&below, None).expect("found"), outer);

        with_file(root.path(), "project/.flock/traces.duckdb");
        let inner = Located::Flock {
            file: root.path().join("project/.flock/traces.duckdb"),
            store: root.path().join("project/.flockscope/store.duckdb"),
            keeps_history: true,
        };
        assert_eq!(locate(&below, None).expect("found"), inner);
        assert_eq!(inner.project_folder(), Some(root.path().join("project").as_path()));
        let ignore = root.path().join("project/.flockscope/.gitignore");
        assert_eq!(fs::read_to_string(ignore).expect("a file"), "*\n");
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error_unless_it_is_to_be_watched() {
        let root = TempDir::new().expect("a folder");
        let given = Path::new(".flock/traces.duckdb");
        let error = locate(root.path(), Some(given)).expect_err("nothing is there");
        assert!(error.to_string().contains("no such file or folder"), "{error}");
        let located = locate_flock_file(root.path(), Some(given)).expect("it may come");
        assert_eq!(located.path(), root.path().join(given));
        assert!(matches!(
            located,
            Located::Flock {
                keeps_history: true,
                ..
            }
        ));
    }

    #[test]
    fn the_store_of_a_project_follows_the_file_that_flock_will_write() {
        let root = TempDir::new().expect("a folder");
        let located = locate_to_serve(root.path(), None).expect("to be made");
        let served = Served {
            store: root.path().join(".flockscope/store.duckdb"),
            follow: Some(root.path().join(".flock/traces.duckdb")),
            keeps_history: true,
        };
        assert_eq!(located.served().as_ref(), Some(&served));
        with_file(root.path(), ".flock/traces.duckdb");
        let located = locate_to_serve(root.path(), None).expect("found");
        assert_eq!(located.served(), Some(served));
    }

    #[test]
    fn a_store_elsewhere_follows_nothing_and_files_have_no_store() {
        let root = TempDir::new().expect("a folder");
        let new = root.path().join("team.duckdb");
        let located = locate_to_serve(root.path(), Some(Path::new("team.duckdb"))).expect("to be made");
        assert_eq!(
            located.served(),
            Some(Served {
                store: new,
                follow: None,
                keeps_history: true
            })
        );
        fs::write(root.path().join("spans.jsonl"), r#"{"resourceSpans": []}"#).expect("a file");
        let error = locate_to_serve(root.path(), Some(Path::new("spans.jsonl"))).expect_err("no store");
        assert!(error.to_string().contains("flockscope import"), "{error}");
        let error = locate_to_serve(root.path(), Some(Path::new("no/team.duckdb"))).expect_err("no folder");
        assert!(error.to_string().contains("no such file or folder"), "{error}");
    }

    #[test]
    fn a_store_that_was_opened_once_is_known_without_reading_it() {
        let root = TempDir::new().expect("a folder");
        with_file(root.path(), "any name");
        fs::create_dir_all(root.path().join("any name.d/archive")).expect("a folder");
        let located = locate(root.path(), Some(Path::new("any name"))).expect("found");
        assert_eq!(
            located,
            Located::Store {
                file: root.path().join("any name")
            }
        );
        assert_eq!(located.project_folder(), None);
    }
}
