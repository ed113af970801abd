//! DuckDB, compiled once a machine: 50 CPU minutes that no profile, checkout or Rust version has to spend again.
//!
//! Left to itself, Cargo compiles DuckDB again for every profile, compiler, and set of features of any build dependency.
//! So its static library is built once, by itself, and put into the cache; a Cargo configuration beside it stands in for
//! the build script of libduckdb-sys (<https://doc.rust-lang.org/cargo/reference/build-scripts.html#overriding-build-scripts>).
//! `docs/adr/0001-one-build-of-duckdb.md` has the reasons.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo::{cargo, must_succeed, said};
use crate::folders::Folders;
use crate::made_once;

/// How many files the build script compiles for DuckDB 2.0.0 with JSON and Parquet; only for showing progress.
const SOURCE_FILES: usize = 380;

const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// A compiled DuckDB in the cache.
pub(crate) struct Library {
    /// The Cargo configuration that links it: `cargo build --config` this path. None where the user's own Cargo
    /// configuration does it already: Cargo would join the two, and the linker refuses a library named twice.
    pub(crate) config: Option<PathBuf>,
}

/// The library for the version and features that the workspace asks for. Compiles it if the machine has none.
pub(crate) fn library(folders: &Folders) -> Result<Library> {
    let wanted = Wanted::by_workspace(folders)?;
    let folder = folders
        .cache
        .join("duckdb")
        .join(format!("{}-{}", wanted.version, wanted.platform));
    let config = folder.join("cargo-config.toml");
    made_once::folder(&folder, &wanted.manifest(), || {
        eprintln!(
            "DuckDB is compiled once for this machine, into {}. It takes about 50 CPU minutes: half an hour on two \
             idle cores.",
            folder.display()
        );
        let built = compile(folders, &wanted, &folder.join("building"))?;
        keep(&built, &folder)?;
        let said = fs::read_to_string(built.join("output")).context("cannot read what the build script said")?;
        fs::write(
            &config,
            configuration(&said, &built.join("out"), &folder, &wanted.platform),
        )
        .with_context(|| format!("cannot write {}", config.display()))?;
        fs::remove_dir_all(folder.join("building")).context("cannot remove the object files of DuckDB")
    })?;
    let by_user = cargo_home().map(|home| home.join("config.toml"));
    let already = match &by_user {
        Some(path) => links_already(&fs::read_to_string(path).unwrap_or_default(), &folder, &wanted.platform)
            .with_context(|| format!("{} is out of date", path.display()))?,
        None => false,
    };
    Ok(Library {
        config: (!already).then_some(config),
    })
}

/// Cargo's own folder, as Cargo finds it.
fn cargo_home() -> Option<PathBuf> {
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
}

/// Whether a Cargo configuration links our library. Fails if it links another one.
fn links_already(config: &str, folder: &Path, platform: &str) -> Result<bool> {
    if !config.contains(&format!("[target.{platform}.duckdb]")) {
        return Ok(false);
    }
    // In quotes as TOML writes it.
    if !config.contains(&format!("{:?}", folder.to_string_lossy())) {
        bail!(
            "its [target.{platform}.duckdb] does not name {}: correct it or take it out",
            folder.display()
        );
    }
    Ok(true)
}

/// What the workspace's lock file and features ask for.
struct Wanted {
    version: String,
    features: Vec<String>,
    platform: String,
}

impl Wanted {
    fn by_workspace(folders: &Folders) -> Result<Self> {
        let tree = said(
            cargo(folders)
                .args(["tree", "--locked", "--workspace", "--invert", "libduckdb-sys"])
                .args(["--depth", "0", "--prefix", "none", "--format", "{p} {f}"]),
        )?;
        let mut words = tree.split_whitespace().skip(1);
        let (Some(version), Some(features)) = (words.next(), words.next()) else {
            bail!("cargo tree says of libduckdb-sys only {tree:?}");
        };
        let about = said(cargo(folders).arg("-vV"))?;
        let Some(platform) = about.lines().find_map(|line| line.strip_prefix("host: ")) else {
            bail!("cargo -vV does not say for which host it is: {about:?}");
        };
        Ok(Self {
            version: version.trim_start_matches('v').to_owned(),
            features: features.split(',').map(str::to_owned).collect(),
            platform: platform.to_owned(),
        })
    }

    /// A package that does nothing but depend on libduckdb-sys. It names all that the library depends on.
    fn manifest(&self) -> String {
        format!(
            "[package]\nname = \"duckdb-library\"\nedition = \"2024\"\n\n[workspace]\n\n[lib]\npath = \"lib.rs\"\n\n\
             [dependencies]\nlibduckdb-sys = {{ version = \"={}\", default-features = false, features = {:?} }}\n",
            self.version, self.features
        )
    }
}

/// Compiles the library in a folder of its own. Returns the build script's folder: `output`, and the results in `out`.
fn compile(folders: &Folders, wanted: &Wanted, folder: &Path) -> Result<PathBuf> {
    let target = folder.join("target");
    fs::create_dir(folder).context("cannot make the folder to build in")?;
    fs::write(folder.join("Cargo.toml"), wanted.manifest()).context("cannot write the manifest")?;
    fs::write(folder.join("lib.rs"), "").context("cannot write the source")?;
    // The build dependencies are the ones that the workspace has locked; Cargo drops the others from the copy.
    fs::copy(folders.checkout.join("Cargo.lock"), folder.join("Cargo.lock")).context("cannot copy Cargo.lock")?;
    let progress = Progress::show(&target);
    // The release profile has no debug information: libduckdb-sys would turn it into DuckDB's debug checks.
    let mut build = cargo(folders);
    must_succeed(
        build
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", &target)
            .args(["build", "--release"]),
    )?;
    drop(progress);
    build_folders(&target)
        .find(|folder| folder.join("out").join("bindgen.rs").exists())
        .context("the build of DuckDB left no library behind")
}

/// Copies the static libraries and the bindings.
fn keep(built: &Path, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(built.join("out")).context("cannot list the build script's results")? {
        let path = entry.context("cannot list the build script's results")?.path();
        let is_kept = path
            .extension()
            .is_some_and(|kind| ["a", "lib", "rs"].iter().any(|kept| kind == *kept));
        if let (true, Some(name)) = (is_kept, path.file_name()) {
            fs::copy(&path, folder.join(name)).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

/// The configuration that replaces the build script: what it said to the linker, with the library's new place.
fn configuration(said: &str, out: &Path, folder: &Path, platform: &str) -> String {
    let instructions = |key: &str| -> Vec<String> {
        let prefix = format!("cargo:{key}=");
        let values = said.lines().filter_map(|line| line.strip_prefix(&prefix));
        let moved = values.map(|value| value.replace(&*out.to_string_lossy(), &folder.to_string_lossy()));
        let mut seen = Vec::new();
        // The order matters to the linker; the build script says some of it twice.
        moved.for_each(|value| {
            if !seen.contains(&value) {
                seen.push(value)
            }
        });
        seen
    };
    // A Rust string in quotes with its escapes reads as the same string in TOML.
    format!(
        "[target.{platform}.duckdb]\nrustc-link-search = {:?}\nrustc-link-lib = {:?}\nrustc-env = {{ OUT_DIR = {:?} }}\n",
        instructions("rustc-link-search"),
        instructions("rustc-link-lib"),
        folder.to_string_lossy(),
    )
}

fn build_folders(target: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(target.join("release").join("build"))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("libduckdb-sys-"))
        .map(|entry| entry.path())
}

/// Says on standard error, once a minute, how far the compilation is, for as long as it is kept: Cargo is silent.
struct Progress {
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    fn show(target: &Path) -> Self {
        let (stop, stopped) = mpsc::channel();
        let target = target.to_owned();
        let started = Instant::now();
        let thread = thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(BETWEEN_LINES) {
                let minutes = started.elapsed().as_secs() / 60;
                let compiled = compiled_files(&target);
                eprintln!("DuckDB is being compiled: {compiled} of about {SOURCE_FILES} files after {minutes} min");
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // It can't have ended unless it panicked, and then there is nothing left to stop.
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn compiled_files(target: &Path) -> usize {
    let objects = build_folders(target)
        .filter_map(|folder| fs::read_dir(folder.join("out")).ok())
        .flatten()
        .flatten();
    objects
        .filter(|file| file.path().extension().is_some_and(|kind| kind == "o" || kind == "obj"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_says_what_the_build_script_said() {
        let said = "cargo:rerun-if-changed=duckdb.tar.gz\ncargo:include=/b/sources\n\
                    cargo:rustc-link-search=native=/b/out\n\
                    cargo:rustc-link-lib=static:+whole-archive=duckdb_static_extension_autoregister\n\
                    cargo:rustc-link-search=native=/b/out\n\
                    cargo:rustc-link-lib=static=duckdb\ncargo:rustc-link-lib=stdc++\n";
        let config = configuration(
            said,
            Path::new("/b/out"),
            Path::new("/cache/duckdb/2"),
            "x86_64-unknown-linux-gnu",
        );
        assert_eq!(
            config,
            "[target.x86_64-unknown-linux-gnu.duckdb]\n\
             rustc-link-search = [\"native=/cache/duckdb/2\"]\n\
             rustc-link-lib = [\"static:+whole-archive=duckdb_static_extension_autoregister\", \"static=duckdb\", \
             \"stdc++\"]\n\
             rustc-env = { OUT_DIR = \"/cache/duckdb/2\" }\n"
        );
    }

    #[test]
    fn a_configuration_of_the_user_is_used_if_it_names_our_library() {
        let folder = Path::new("/cache/duckdb/2");
        let ours = configuration(
            "cargo:rustc-link-lib=static=duckdb\n",
            Path::new("/b/out"),
            folder,
            "any",
        );
        assert!(links_already(&ours, folder, "any").unwrap());
        assert!(!links_already("[build]\njobs = 2\n", folder, "any").unwrap());
        assert!(!links_already(&ours, folder, "other").unwrap());
        assert!(links_already(&ours, Path::new("/cache/duckdb/3"), "any").is_err());
    }

    #[test]
    fn the_recipe_changes_with_version_and_features() {
        let wanted = |version: &str, features: &[&str]| {
            let features = features.iter().map(|name| (*name).to_owned()).collect();
            Wanted {
                version: version.to_owned(),
                features,
                platform: "any".to_owned(),
            }
            .manifest()
        };
        assert!(wanted("1.2.3", &["bundled", "json"]).contains(
            "libduckdb-sys = { version = \"=1.2.3\", default-features = false, features = [\"bundled\", \"json\"] }"
        ));
        assert_ne!(wanted("1.2.3", &["bundled"]), wanted("1.2.4", &["bundled"]));
        assert_ne!(wanted("1.2.3", &["bundled"]), wanted("1.2.3", &["bundled", "json"]));
    }

    #[test]
    fn only_what_a_build_needs_is_kept_and_objects_are_counted() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("release/build/libduckdb-sys-1/out");
        fs::create_dir_all(&out).unwrap();
        for name in ["libduckdb.a", "bindgen.rs", "a.o", "b.o", "flag_check.cpp"] {
            fs::write(out.join(name), "").unwrap();
        }
        let kept = tempfile::tempdir().unwrap();
        keep(out.parent().unwrap(), kept.path()).unwrap();
        let mut names: Vec<_> = fs::read_dir(kept.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["bindgen.rs", "libduckdb.a"]);
        assert_eq!(compiled_files(place.path()), 2);
    }
}
