//! Whether a function was edited after a span, by what scans saw and by what an editor has open.

use std::fs::File;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flockscope_functions::{Edit, FunctionId, Scan, Workspace};
use proptest::prelude::*;

use crate::project::Project;

const OLD: &str = "def f(a):\n    return a\n\n\ndef g():\n    return 1\n";
const NEW: &str = "def f(a):\n    return a + 1\n\n\ndef g():\n    return 1\n";
const UNSAVED: Edit = Edit::Since { is_saved: false };
const SAVED: Edit = Edit::Since { is_saved: true };

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_nanos()).expect("before 2262")
}

/// Writes `a.py` as it would have been so many seconds ago.
fn write(project: &Project, text: &str, seconds_ago: u64) {
    project.write("a.py", text);
    let time = SystemTime::now() - Duration::from_secs(seconds_ago);
    let file = File::options()
        .write(true)
        .open(project.path("a.py"))
        .expect("the file");
    file.set_modified(time).expect("another time");
}

fn scan(workspace: &mut Workspace) {
    let scan = Scan::run(&workspace.stamps(), None);
    workspace.apply(scan);
}

/// The functions of `a.py` in the order of the text.
fn ids(project: &Project, workspace: &Workspace) -> Vec<FunctionId> {
    let functions = workspace.functions(&project.path("a.py"));
    functions.iter().map(|function| function.id).collect()
}

/// `a.py` with the old text, written a thousand seconds ago and read now.
fn started() -> (Project, Workspace) {
    let project = Project::without_flock(&[]);
    write(&project, OLD, 1_000);
    let workspace = project.workspace();
    (project, workspace)
}

const SECOND: i64 = 1_000_000_000;

#[test]
fn a_file_that_was_not_written_since_is_unchanged_and_of_earlier_nothing_is_known() {
    let (project, workspace) = started();
    let f = ids(&project, &workspace)[0];
    assert_eq!(workspace.edited_since(f, now() - 999 * SECOND), Edit::Unchanged);
    assert_eq!(workspace.edited_since(f, now() - 1_001 * SECOND), Edit::Unknown);
    let nobody = FunctionId { key: 1, ..f };
    assert_eq!(workspace.edited_since(nobody, now()), Edit::Unknown);
}

#[test]
fn an_edit_is_after_the_last_look_and_before_the_file_was_written() {
    let (project, mut workspace) = started();
    let before = now() - 10 * SECOND;
    let between = now();
    write(&project, NEW, 0);
    scan(&mut workspace);
    let functions = ids(&project, &workspace);
    for (time, expected) in [
        (now() - 2_000 * SECOND, SAVED),
        (before, SAVED),
        (between, Edit::Perhaps),
        (now(), Edit::Unchanged),
    ] {
        assert_eq!(workspace.edited_since(functions[0], time), expected);
    }
    for function in workspace.functions(&project.path("a.py")) {
        let same = workspace.edited_since(function.id, before);
        assert_eq!(workspace.function_edited_since(&function, before), same);
    }
    // The other function of the file was not edited.
    assert_eq!(workspace.edited_since(functions[1], before), Edit::Unchanged);
    assert_eq!(
        workspace.edited_since(functions[1], now() - 2_000 * SECOND),
        Edit::Unknown
    );
}

#[test]
fn an_edit_that_is_taken_back_is_none_for_spans_from_before_it() {
    let (project, mut workspace) = started();
    let before = now() - 10 * SECOND;
    write(&project, NEW, 0);
    scan(&mut workspace);
    let edited = now();
    scan(&mut workspace);
    write(&project, OLD, 0);
    scan(&mut workspace);
    let f = ids(&project, &workspace)[0];
    assert_eq!(workspace.edited_since(f, before), Edit::Unchanged);
    assert_eq!(workspace.edited_since(f, edited), SAVED, "that one ran the other code");
    assert_eq!(workspace.edited_since(f, now()), Edit::Unchanged);
    // The function that goes and comes back is the same, too.
    write(&project, "def g():\n    return 1\n", 0);
    scan(&mut workspace);
    assert_eq!(workspace.edited_since(f, before), Edit::Unknown);
    write(&project, OLD, 0);
    scan(&mut workspace);
    assert_eq!(workspace.edited_since(f, before), Edit::Unchanged);
}

#[test]
fn a_file_with_the_time_of_another_year_was_edited_between_the_looks() {
    for seconds_ago in [500, 100_000] {
        let (project, mut workspace) = started();
        let between = now();
        write(&project, NEW, seconds_ago);
        scan(&mut workspace);
        let f = ids(&project, &workspace)[0];
        assert_eq!(workspace.edited_since(f, between - 10 * SECOND), SAVED);
        assert_eq!(workspace.edited_since(f, between), Edit::Perhaps);
        assert_eq!(workspace.edited_since(f, now()), Edit::Unchanged);
    }
}

#[test]
fn what_is_not_saved_yet_is_after_every_span() {
    let (project, mut workspace) = started();
    let path = project.path("a.py");
    let before = now() - 10 * SECOND;
    workspace.update(&path, NEW);
    let functions = ids(&project, &workspace);
    assert_eq!(workspace.edited_since(functions[0], now()), UNSAVED);
    assert_eq!(workspace.edited_since(functions[1], before), Edit::Unchanged);
    workspace.update(&path, OLD);
    assert_eq!(workspace.edited_since(functions[0], before), Edit::Unchanged);
    // It is saved: the editor still has it open.
    let between = now();
    workspace.update(&path, NEW);
    write(&project, NEW, 0);
    scan(&mut workspace);
    assert_eq!(workspace.edited_since(functions[0], before), SAVED);
    assert_eq!(workspace.edited_since(functions[0], between), Edit::Perhaps);
    assert_eq!(workspace.edited_since(functions[0], now()), Edit::Unchanged);
    // What is typed and thrown away leaves no trace.
    workspace.update(&path, OLD);
    workspace.close(&path);
    scan(&mut workspace);
    assert_eq!(workspace.edited_since(functions[0], now()), Edit::Unchanged);
    assert_eq!(workspace.edited_since(functions[0], before), SAVED);
}

#[test]
fn a_new_text_that_no_scan_saw_says_nothing() {
    let project = Project::without_flock(&[]);
    let mut workspace = Workspace::new(project.root());
    workspace.update(&project.path("a.py"), OLD);
    let f = ids(&project, &workspace)[0];
    assert_eq!(workspace.edited_since(f, now()), Edit::Unknown);
    write(&project, OLD, 1_000);
    scan(&mut workspace);
    assert_eq!(workspace.edited_since(f, now()), Edit::Unchanged);
    std::fs::remove_file(project.path("a.py")).expect("removed");
    scan(&mut workspace);
    assert_eq!(workspace.edited_since(f, now()), Edit::Unknown);
}

#[test]
fn edits_outlive_the_server_also_of_files_that_were_open() {
    for is_open in [false, true] {
        let (project, mut workspace) = started();
        let cache = project.path("cache");
        let before = now() - 10 * SECOND;
        if is_open {
            workspace.update(&project.path("a.py"), "def f(a):\n    return 'never saved'\n");
        }
        write(&project, NEW, 0);
        scan(&mut workspace);
        workspace.to_keep().save(&cache).expect("written");
        let mut again = Workspace::load(project.root(), &cache);
        let functions = ids(&project, &again);
        assert_eq!(again.edited_since(functions[0], before), SAVED);
        assert_eq!(again.edited_since(functions[0], now()), Edit::Unchanged);
        assert_eq!(again.edited_since(functions[1], before), Edit::Unchanged);
        // What was edited while no server ran.
        let between = now();
        write(&project, &OLD.replace("return 1", "return 2"), 0);
        scan(&mut again);
        assert_eq!(again.edited_since(functions[1], before), SAVED);
        assert_eq!(again.edited_since(functions[1], between), Edit::Perhaps);
        assert_eq!(again.edited_since(functions[0], before), Edit::Unchanged, "taken back");
    }
}

#[test]
fn more_edits_than_are_kept_never_make_a_function_unchanged_that_was_edited() {
    let (project, mut workspace) = started();
    let before = now() - 10 * SECOND;
    for value in 0..10 {
        write(&project, &OLD.replace("return a", &format!("return a * {value}")), 0);
        scan(&mut workspace);
    }
    let f = ids(&project, &workspace)[0];
    assert_eq!(workspace.edited_since(f, before), SAVED);
    let many = |value: u32| {
        (0..20_100)
            .map(|n| format!("def f{n}(): return {value}\n"))
            .collect::<String>()
    };
    write(&project, &many(0), 0);
    scan(&mut workspace);
    let between = now();
    write(&project, &many(1), 0);
    scan(&mut workspace);
    let functions = ids(&project, &workspace);
    assert_eq!(functions.len(), 20_100);
    for function in functions.iter().step_by(401) {
        let edit = workspace.edited_since(*function, between);
        assert!(matches!(edit, Edit::Perhaps | Edit::Unknown), "{edit:?}");
        assert_eq!(workspace.edited_since(*function, now()), Edit::Unchanged);
    }
}

/// Lines of a function, and what can be between them without changing it.
const LINES: [&str; 6] = [
    "@cached",
    "@named('a  b')",
    "def f(a, b=1):",
    "    if a:",
    "        b = '''x\n  y'''",
    "    return (a, b)",
];
const NOISE: [&str; 5] = ["", "\n", "# why\n", "\n    # def g():\n", "            # )]}\n\n"];
const DOCUMENTED: [&str; 4] = [
    "",
    "    \"\"\"Says.\"\"\"\n",
    "    '''Says\n\n  more.'''\n",
    "    r'says'  # so\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn comments_layout_and_docstrings_are_no_edit(
        noise in prop::collection::vec(0..NOISE.len(), 7), ends in prop::collection::vec(0..2_usize, 6), says in 0..4_usize,
        windows in any::<bool>(), changed in prop::option::of(0..6_usize),
    ) {
        let bodies = |text: &str| -> Vec<u64> {
            let path = std::path::Path::new("/project/a.py");
            let mut workspace = Workspace::new(std::path::Path::new("/project"));
            workspace.update(path, text);
            workspace.functions(path).iter().map(|function| function.definition.body).collect()
        };
        let mut text = String::new();
        for (at, line) in LINES.iter().enumerate() {
            text.push_str(NOISE[noise[at]]);
            let line = match (changed, at) {
                (Some(0), 0) => "@cached.twice",
                (Some(1), 1) => "@named('a b')",
                (Some(2), 2) => "def f(a, b=2):",
                (Some(3), 3) => "    if not a:",
                (Some(4), 4) => "        b = '''x\n y'''",
                (Some(5), 5) => "    return (b, a)",
                _ => line,
            };
            text.push_str(line);
            text.push_str(["\n", "  # so\n"][ends[at]]);
            if at == 2 {
                text.push_str(DOCUMENTED[says]);
            }
        }
        text.push_str(NOISE[noise[6]]);
        if windows {
            text = text.replace('\n', "\r\n");
        }
        let plain = LINES.map(|line| format!("{line}\n")).concat();
        prop_assert_eq!(bodies(&text) == bodies(&plain), changed.is_none(), "{}", text);
        prop_assert_eq!(bodies(&text).len(), 1);
    }
}
