//! The folder on disk and the cache.

use std::fs;
use std::path::{Path, PathBuf};

use flockscope_functions::{Scan, Workspace};

use crate::project::{Project, data, traced};

/// The files that a workspace knows, relative to its root, without those of the installed package.
fn files(workspace: &Workspace) -> Vec<String> {
    let relative = workspace
        .paths()
        .filter_map(|path| path.strip_prefix(workspace.root()).ok());
    let shown = relative.map(|path| path.to_string_lossy().replace('\\', "/"));
    let mut files: Vec<String> = shown.filter(|path| !path.contains("site-packages")).collect();
    files.sort();
    files
}

#[test]
fn what_git_ignores_and_what_was_built_is_passed_by() {
    let project = Project::new(&[
        (".gitignore", "generated/\n*_pb2.py\n"),
        ("a.py", ""),
        ("generated/b.py", ""),
        ("c_pb2.py", ""),
        ("deep/d.rs", ""),
        ("deep/.gitignore", "e.ts\n"),
        ("deep/e.ts", ""),
        ("deep/notes.txt", ""),
        ("node_modules/f.js", ""),
        ("env/pyvenv.cfg", ""),
        ("env/lib/g.py", ""),
        (".hidden/h.py", ""),
    ]);
    assert_eq!(files(&project.workspace()), ["a.py", "deep/d.rs"]);
}

#[test]
fn a_cache_gives_the_same_workspace_and_a_scan_reads_only_what_changed() {
    let project = Project::new(&[
        (
            "a.py",
            "from flock import Agent\nclass A(Agent):\n    def a(self): ...\n",
        ),
        ("b.py", "def b(): ...\n"),
        ("c.py", ""),
    ]);
    let cache = project.path("cache/functions");
    let first = project.workspace();
    first.to_keep().save(&cache).expect("written");
    let mut loaded = Workspace::load(project.root(), &cache);
    assert_eq!(files(&loaded), files(&first));
    assert_eq!(traced(&loaded, &project.path("a.py")), ["A.a"]);
    assert!(Scan::run(&loaded.stamps(), None).is_empty());

    project.write("b.py", "def b(): ...\ndef b2(): ...\n");
    project.write("d.py", "def d(): ...\n");
    fs::remove_file(project.path("c.py")).expect("removed");
    let scan = Scan::run(&loaded.stamps(), None);
    assert_eq!(scan.changed_count(), 2);
    loaded.apply(scan);
    assert_eq!(files(&loaded), ["a.py", "b.py", "d.py"]);
    assert_eq!(loaded.functions(&project.path("b.py")).len(), 2);
}

#[test]
fn a_cache_that_is_damaged_or_of_another_folder_is_not_believed() {
    let project = Project::new(&[("a.py", "def a(): ...\n")]);
    let cache = project.path("cache");
    project.workspace().to_keep().save(&cache).expect("written");
    let sound = fs::read(&cache).expect("read");
    assert_eq!(Workspace::load(Path::new("/elsewhere"), &cache).file_count(), 0);
    assert_eq!(Workspace::load(project.root(), Path::new("/missing")).file_count(), 0);
    for at in (0..sound.len()).step_by(7) {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x40;
        fs::write(&cache, &damaged).expect("written");
        assert_eq!(Workspace::load(project.root(), &cache).file_count(), 0, "byte {at}");
        fs::write(&cache, &sound[..at]).expect("written");
        assert_eq!(Workspace::load(project.root(), &cache).file_count(), 0, "cut at {at}");
    }
    fs::write(&cache, &sound).expect("written");
    assert!(Workspace::load(project.root(), &cache).file_count() > 0);
}

#[test]
fn what_an_editor_has_open_is_not_overwritten_by_the_disk() {
    let project = Project::new(&[("a.py", "def disk(): ...\n")]);
    let mut workspace = project.workspace();
    let path = project.path("a.py");
    let stamps = workspace.stamps();
    workspace.update(&path, "def editor(): ...\n");
    project.write("a.py", "def disk(): ...\ndef more(): ...\n");
    workspace.apply(Scan::run(&stamps, None));
    assert_eq!(workspace.functions(&path)[0].qualified_name, "editor");
    // Once it is closed, the disk counts again, and nothing that was not saved was put into the cache.
    workspace.close(&path);
    workspace.apply(Scan::run(&workspace.stamps(), None));
    assert_eq!(workspace.functions(&path).len(), 2);
}

#[test]
fn flock_is_found_in_environments_of_several_forms() {
    let engine = "from flock.components import AgentComponentConfig, EngineComponent\nclass E(EngineComponent):\n    def run(self): ...\n";
    let is_installed = |project: &Project, active: Option<PathBuf>| {
        let mut workspace = Workspace::new(project.root());
        workspace.apply(Scan::run(&workspace.stamps(), active.as_deref()));
        workspace.paths().any(|path| path.ends_with("flock/components.py"))
    };
    let none = Project::without_flock(&[("e.py", engine)]);
    assert!(!is_installed(&none, None));
    // The active environment, elsewhere.
    let active = Project::new(&[]);
    assert!(is_installed(&none, Some(active.path(".venv"))));
    // An environment under a name of its own.
    let named = Project::without_flock(&[("e.py", engine), ("my-env/pyvenv.cfg", "home = /x\n")]);
    let installed = active.path(".venv/lib/python3.11/site-packages/flock");
    named.write("my-env/lib/python3.12/site-packages/flock/__init__.py", "");
    named.write(
        "my-env/lib/python3.12/site-packages/flock/components.py",
        &fs::read_to_string(installed.join("components.py")).expect("text"),
    );
    assert!(is_installed(&named, None));
    // An editable installation.
    let editable = Project::without_flock(&[("e.py", engine), (".venv/pyvenv.cfg", "home = /x\n")]);
    let sources = data("").to_string_lossy().into_owned();
    editable.write(
        ".venv/lib/python3.11/site-packages/flock.pth",
        &format!("import nothing\n{sources}\n"),
    );
    assert!(is_installed(&editable, None));
    // The packages of the system, if the environment takes them.
    let system = Project::without_flock(&[("e.py", engine)]);
    let home = active.path(".venv/bin");
    system.write(
        ".venv/pyvenv.cfg",
        &format!("home = {}\ninclude-system-site-packages = true\n", home.display()),
    );
    assert!(is_installed(&system, None));
    system.write(
        ".venv/pyvenv.cfg",
        &format!("home = {}\ninclude-system-site-packages = false\n", home.display()),
    );
    assert!(!is_installed(&system, None));
}

#[test]
fn the_environment_can_change_between_two_scans() {
    let project = Project::new(&[(
        "e.py",
        "from flock.components import AgentComponent\nclass E(AgentComponent):\n    def run(self): ...\n",
    )]);
    let mut workspace = project.workspace();
    let components = project.path(".venv/lib/python3.11/site-packages/flock/components.py");
    assert!(
        workspace
            .functions(&components)
            .iter()
            .all(|function| function.is_installed)
    );
    fs::remove_dir_all(project.path(".venv")).expect("removed");
    workspace.apply(Scan::run(&workspace.stamps(), None));
    assert!(workspace.functions(&components).is_empty());
    assert_eq!(
        traced(&workspace, &project.path("e.py")),
        ["E.run"],
        "known by its name"
    );
}

#[test]
fn a_byte_order_mark_and_bytes_that_are_no_text_are_read_over() {
    let project = Project::new(&[("a.py", "\u{feff}def a(): ...\n")]);
    fs::write(project.path("b.py"), b"x = '\xff\xfe'\ndef b(): ...\n").expect("written");
    let workspace = project.workspace();
    assert_eq!(
        workspace.functions(&project.path("a.py"))[0].definition.name_range,
        4..5
    );
    assert_eq!(workspace.functions(&project.path("b.py"))[0].qualified_name, "b");
}

#[test]
fn what_a_bundler_wrote_is_passed_by_and_long_files_are_not() {
    let project = Project::without_flock(&[
        ("bundle.js", &"function f(){return 1};".repeat(5_000)),
        ("long.js", &"function f() {\n  return 1;\n}\n".repeat(5_000)),
    ]);
    let workspace = project.workspace();
    assert_eq!(workspace.functions(&project.path("bundle.js")).len(), 0);
    assert_eq!(workspace.functions(&project.path("long.js")).len(), 5_000);
}
