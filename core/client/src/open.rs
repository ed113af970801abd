//! Opens the store of what was located, after bringing it up to date.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use flockscope_redaction::{Redactor, Rules};
use flockscope_sources::snapshot::BlockSnapshot;
use flockscope_store::{Settings, Store, StoreError};
use tempfile::TempDir;

use crate::{ClientError, Following, Loaded, Located, Progress, Removed, Retention, cache_folder, load};

/// Most commands hold a store for less than this; it is worth waiting for before reading a copy.
const SHORT_WAIT: Duration = Duration::from_millis(300);

/// How traces are opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// How the store is opened.
    pub settings: Settings,
    /// What the store of a project keeps.
    pub retention: Retention,
    /// Makes secrets unreadable before spans of a Flock file are stored. The default knows the well-known ones.
    pub redactor: Arc<Redactor>,
}

impl Default for Options {
    fn default() -> Self {
        let redactor = Redactor::new(&Rules::default()).expect("the built-in rules are sound");
        Self {
            settings: Settings::default(),
            retention: Retention::default(),
            redactor: Arc::new(redactor),
        }
    }
}

/// Making a store takes less than this; until then a copy of it can't be read.
const LONG_WAIT: Duration = Duration::from_secs(2);

/// A store that is ready to be asked.
pub struct Opened {
    // Declared first: the store is closed before its folders go away.
    /// The store.
    pub store: Arc<Store>,
    /// What came into the store just now.
    pub loaded: Loaded,
    /// What went because of its age, or of the store's size.
    pub removed: Removed,
    /// What a person should know about the answers.
    pub note: Option<String>,
    copy: Option<BlockSnapshot>,
    _folder: Option<TempDir>,
}

impl Opened {
    /// Whether this is a copy of a store that another process holds, and so can't be changed.
    pub fn is_copy(&self) -> bool {
        self.copy.is_some()
    }

    fn of(store: Store, loaded: Loaded) -> Self {
        Self {
            store: Arc::new(store),
            loaded,
            removed: Removed::default(),
            note: None,
            copy: None,
            _folder: None,
        }
    }
}

/// Opens what was located. A store that follows a Flock file is brought up to date first; one that another process
/// holds is read from a copy; other files are loaded.
pub fn open(located: &Located, options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<Opened, ClientError> {
    let settings = &options.settings;
    match located {
        Located::Flock {
            file,
            store: path,
            keeps_history,
        } => match open_when_free(path, settings) {
            Err(StoreError::InUse { holder, .. }) => read_copy(path, settings, holder),
            opened => {
                let (store, loaded) = up_to_date(file, opened?, *keeps_history, options, progress)?;
                let removed = if *keeps_history {
                    options.retention.keep_to(&store)?
                } else {
                    Removed::default()
                };
                Ok(Opened {
                    removed,
                    ..Opened::of(store, loaded)
                })
            }
        },
        Located::Store { file } => match open_when_free(file, settings) {
            Err(StoreError::InUse { holder, .. }) => read_copy(file, settings, holder),
            opened => Ok(Opened::of(opened?, Loaded::default())),
        },
        Located::Files { path } => {
            let folder = TempDir::with_prefix("flockscope-").map_err(ClientError::file(env::temp_dir()))?;
            let store = Store::open(&folder.path().join("store.duckdb"), settings.clone())?;
            let loaded = load(
                &store,
                flockscope_sources::open(path)?.as_mut(),
                &options.redactor,
                progress,
            )?;
            Ok(Opened {
                _folder: Some(folder),
                ..Opened::of(store, loaded)
            })
        }
    }
}

/// Stores what the Flock file holds beyond what is stored.
fn up_to_date(
    file: &Path,
    store: Store,
    keeps_history: bool,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Store, Loaded), ClientError> {
    let mut following = Following::resume(&store, file)?.redacting(options.redactor.clone());
    let loaded = following.catch_up(&store, progress)?;
    if keeps_history || !following.has_restarted() {
        return Ok((store, loaded));
    }
    // Another file has taken the name. What the store kept of the earlier one does not belong to it.
    let path = store.path().to_owned();
    drop(store);
    remove_store(&path)?;
    let store = Store::open(&path, options.settings.clone())?;
    let mut following = Following::from_the_start(file)?.redacting(options.redactor.clone());
    let loaded = following.catch_up(&store, progress)?;
    Ok((store, loaded))
}

fn open_when_free(path: &Path, settings: &Settings) -> Result<Store, StoreError> {
    let deadline = Instant::now() + SHORT_WAIT;
    loop {
        match Store::open(path, settings.clone()) {
            Err(StoreError::InUse { .. }) if Instant::now() < deadline => thread::sleep(Duration::from_millis(30)),
            outcome => return outcome,
        }
    }
}

/// Reads a store that another process holds, as it is now.
fn read_copy(path: &Path, settings: &Settings, holder: Option<String>) -> Result<Opened, ClientError> {
    let mut snapshot = BlockSnapshot::new(path.to_owned(), &mirror_folder()?)?;
    let deadline = Instant::now() + LONG_WAIT;
    let store = loop {
        match Store::open_copy(&snapshot.refresh()?.path, path, settings.clone()) {
            Ok(store) => break store,
            // The other process is just making the store, or the copy caught it at a bad moment.
            Err(_) if Instant::now() < deadline => {
                snapshot.distrust();
                thread::sleep(Duration::from_millis(100));
            }
            Err(error) => return Err(error.into()),
        }
    };
    let holder = holder.map_or_else(
        || "another process".to_owned(),
        |holder| format!("another process, {holder},"),
    );
    Ok(Opened {
        note: Some(format!(
            "{holder} keeps this store up to date; reading a copy of {}",
            path.display()
        )),
        copy: Some(snapshot),
        ..Opened::of(store, Loaded::default())
    })
}

/// Folder for copies of files that others write.
pub(crate) fn mirror_folder() -> Result<PathBuf, ClientError> {
    let folder = cache_folder()?.join("mirrors");
    fs::create_dir_all(&folder).map_err(ClientError::file(&folder))?;
    Ok(folder)
}

fn remove_store(path: &Path) -> Result<(), ClientError> {
    for suffix in ["", ".wal"] {
        let file = with_suffix(path, suffix);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(ClientError::file(&file)(error)),
            _ => {}
        }
    }
    let folder = with_suffix(path, ".d");
    fs::remove_dir_all(&folder).map_err(ClientError::file(&folder))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
