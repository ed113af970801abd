//! A project in a temporary folder, and short ways to ask about it.

use std::fs;
use std::path::{Path, PathBuf};

use flockscope_functions::{Function, FunctionId, Matches, Observed, Part, Scan, Tier, Traced, Workspace};
use tempfile::TempDir;

/// Files on disk.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// A project of these files, with a virtual environment in which `flock` is installed.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let project = Self::without_flock(files);
        project.write(".venv/pyvenv.cfg", "home = /nowhere/bin\n");
        copy(
            &data("flock"),
            &project.root().join(".venv/lib/python3.11/site-packages/flock"),
        );
        project
    }

    /// A project of these files alone.
    pub(crate) fn without_flock(files: &[(&str, &str)]) -> Self {
        let project = Self {
            folder: TempDir::new().expect("a temporary folder"),
        };
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    /// The help desk that comes with Flockscope.
    pub(crate) fn helpdesk() -> Self {
        let project = Self::new(&[]);
        copy(
            &data("../../../../tests/data/helpdesk"),
            &project.root().join("helpdesk"),
        );
        project
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// The project as it is on disk; the environment of whoever runs the tests does not count.
    pub(crate) fn workspace(&self) -> Workspace {
        let mut workspace = Workspace::new(self.root());
        let scan = Scan::run(&workspace.stamps(), None);
        workspace.apply(scan);
        workspace
    }
}

/// A file or folder of the tests' data.
pub(crate) fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// Spans of Flock: `module`, `Class.method` (or `Class` as the type of a first argument).
pub(crate) fn span(id: u64, module: &str, class: &str, function: &str) -> Observed {
    Observed {
        id,
        name: format!("{class}.{function}"),
        service: class.to_owned(),
        operation: function.to_owned(),
        module: Some(module.to_owned()),
        class: Some(class.to_owned()),
        function: Some(function.to_owned()),
        ..Observed::default()
    }
}

/// Where a function is, in words: `engines.py Class.method`.
pub(crate) fn place(workspace: &Workspace, id: FunctionId) -> String {
    let function = workspace.function(id).expect("a function");
    let path = function.path.strip_prefix(workspace.root()).unwrap_or(function.path);
    let path = path.to_string_lossy().replace('\\', "/");
    let path = path
        .rsplit_once("site-packages/")
        .map_or(path.as_str(), |(_, path)| path);
    format!("{path} {}", function.qualified_name)
}

/// Whose spans an operation's are, in words: `exact engines.py Class.method`, `inferred outer …`, sorted.
pub(crate) fn whose(workspace: &Workspace, matches: &Matches, id: u64) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for matched in matches.functions_of(id) {
        let tier = match &matched.tier {
            Tier::Exact => "exact",
            Tier::Inferred => "inferred",
            Tier::Ambiguous(candidates) => {
                assert!(
                    candidates.contains(&matched.function),
                    "candidates hold the function itself"
                );
                assert!(candidates.len() > 1, "one candidate is not ambiguous");
                "ambiguous"
            }
        };
        let part = match matched.part {
            Part::All => "",
            Part::Outer => "outer ",
            Part::Nested => "nested ",
        };
        assert!(matches.of(matched.function).contains(matched), "both directions agree");
        found.push(format!("{tier} {part}{}", place(workspace, matched.function)));
    }
    found.sort();
    found
}

/// Whose spans these are, for one operation.
pub(crate) fn whose_is(workspace: &Workspace, observed: Observed) -> Vec<String> {
    let matches = workspace.match_operations(std::slice::from_ref(&observed));
    whose(workspace, &matches, observed.id)
}

/// The traced functions of a file by their qualified names, all of whose calls are spans.
pub(crate) fn traced(workspace: &Workspace, path: &Path) -> Vec<String> {
    let is_traced = |function: &Function<'_>| function.traced.as_ref().is_some_and(Traced::is_whole);
    let functions = workspace.functions(path).into_iter().filter(is_traced);
    functions.map(|function| function.qualified_name).collect()
}
