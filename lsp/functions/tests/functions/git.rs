//! Whether a function was edited after a span, by what git knows.

use std::fs;

use flockscope_functions::{Edit, FunctionId, GitLook, Scan, Workspace};
use gix::ObjectId;
use gix::actor::SignatureRef;
use gix::objs::tree::{Entry, EntryKind};
use gix::objs::{Commit, Tree};

use crate::project::Project;

const SAVED: Edit = Edit::Since { is_saved: true };

/// A file with one function, beside another one.
fn text(value: u32, other: u32) -> String {
    format!("def f():\n    return {value}\n\n\ndef other():\n    return {other}\n")
}

/// A repository whose only file is `src/a.py`.
struct Repository {
    project: Project,
    git: gix::Repository,
}

impl Repository {
    fn new() -> Self {
        let project = Project::without_flock(&[]);
        let git = gix::init(project.root()).expect("a repository");
        Self { project, git }
    }

    fn tree(&self, name: &str, text: &str) -> ObjectId {
        let blob = self.git.write_blob(text).expect("written").detach();
        let tree = |name: &str, oid: ObjectId, kind: EntryKind| {
            let entry = Entry {
                mode: kind.into(),
                filename: name.into(),
                oid,
            };
            let tree = Tree { entries: vec![entry] };
            self.git.write_object(&tree).expect("written").detach()
        };
        tree("src", tree(name, blob, EntryKind::Blob), EntryKind::Tree)
    }

    /// Commits the file at a time, in seconds since the epoch, and writes it.
    fn commit(&self, text: &str, time: i64) -> ObjectId {
        self.commit_as("a.py", text, time, time)
    }

    fn commit_as(&self, name: &str, text: &str, time: i64, written: i64) -> ObjectId {
        let (committed, authored) = (format!("{time} +0200"), format!("{written} +0200"));
        let by = |time| SignatureRef {
            name: "A".into(),
            email: "a@example.org".into(),
            time,
        };
        let parent = self.git.head_id().ok().map(gix::Id::detach);
        let tree = self.tree(name, text);
        let commit = self
            .git
            .commit_as(by(&committed), by(&authored), "HEAD", "m", tree, parent);
        self.project.write(&format!("src/{name}"), text);
        commit.expect("a commit").detach()
    }

    /// As in a fresh copy of the repository.
    fn forget_what_was_checked_out(&self) {
        fs::remove_dir_all(self.git.git_dir().join("logs")).expect("removed");
    }

    /// What is known of `f` for a span of a second.
    fn edit(&self, time: i64) -> Edit {
        let (mut workspace, f) = self.read();
        let look = GitLook::new(&workspace, [(f, nanoseconds(time))]);
        assert!(!look.is_empty());
        workspace.apply_git(look.run());
        workspace.edited_since(f, nanoseconds(time))
    }

    fn read(&self) -> (Workspace, FunctionId) {
        let workspace = self.project.workspace();
        let f = workspace.functions(&self.project.path("src/a.py"))[0].id;
        (workspace, f)
    }
}

fn nanoseconds(seconds: i64) -> i64 {
    seconds * 1_000_000_000 + 400_000_000
}

#[test]
fn the_commit_that_was_checked_out_tells_what_ran() {
    for is_fresh_copy in [false, true] {
        let repository = Repository::new();
        repository.commit(&text(1, 1), 1_000);
        repository.commit(&text(1, 2), 2_000);
        repository.commit(&text(2, 2), 3_000);
        repository.commit(&text(2, 3), 4_000);
        if is_fresh_copy {
            repository.forget_what_was_checked_out();
        }
        assert_eq!(repository.edit(500), Edit::Unknown, "from before the first commit");
        assert_eq!(
            repository.edit(1_500),
            SAVED,
            "the next commit of the file has not edited it yet"
        );
        assert_eq!(
            repository.edit(2_500),
            Edit::Perhaps,
            "it can have been edited before the commit"
        );
        assert_eq!(repository.edit(3_000), Edit::Unchanged);
        assert_eq!(repository.edit(4_500), Edit::Unchanged);
    }
}

#[test]
fn what_was_not_committed_may_have_been_edited_before() {
    let repository = Repository::new();
    repository.commit(&text(1, 1), 1_000);
    repository.project.write("src/a.py", &text(2, 1));
    assert_eq!(repository.edit(1_500), Edit::Perhaps);
    repository.commit(&text(1, 2), 2_000);
    repository.project.write("src/a.py", &text(2, 2));
    assert_eq!(repository.edit(1_500), SAVED);
    assert_eq!(repository.edit(2_500), Edit::Perhaps);
}

#[test]
fn comments_layout_and_other_functions_are_no_edit() {
    let repository = Repository::new();
    repository.commit(&text(1, 1), 1_000);
    let documented = text(1, 7).replace("def f():\n", "# Above.\ndef f(  ):  # why\n    '''Says.'''\n\n");
    repository.project.write("src/a.py", &documented.replace('\n', "\r\n"));
    assert_eq!(repository.edit(1_500), Edit::Unchanged);
}

#[test]
fn a_commit_that_was_put_on_top_again_later_is_no_proof() {
    let rebased = |written| {
        let repository = Repository::new();
        repository.commit(&text(1, 1), 1_000);
        // Both were written before the span at 1,500, and rebased at 2,000.
        repository.commit_as("a.py", &text(1, 2), 2_000, written);
        repository.commit_as("a.py", &text(2, 2), 2_000, written);
        repository.forget_what_was_checked_out();
        repository.edit(1_500)
    };
    assert_eq!(rebased(1_200), Edit::Perhaps);
    assert_eq!(rebased(1_900), SAVED);
}

#[test]
fn the_branch_that_was_checked_out_counts_and_not_the_one_that_is() {
    let repository = Repository::new();
    let main = repository.commit(&text(1, 1), 1_000);
    let branch = repository.commit(&text(2, 1), 1_100);
    // The span is made on the branch at 1,500. Then the main branch is checked out, which goes on and takes the edit in.
    let log = repository.git.git_dir().join("logs/HEAD");
    let moved = format!("{branch} {main} A <a@example.org> 1600 +0200\tcheckout: moving from branch to main\n");
    let log_before = fs::read_to_string(&log).expect("the log");
    fs::write(&log, log_before + &moved).expect("written");
    let head = repository.git.git_dir().join("HEAD");
    fs::write(&head, format!("{main}\n")).expect("written");
    repository.commit(&text(1, 5), 1_700);
    repository.commit(&text(2, 5), 1_800);
    assert_eq!(repository.edit(1_500), Edit::Unchanged);
    assert_eq!(repository.edit(1_050), Edit::Perhaps);
    assert_eq!(repository.edit(1_650), SAVED);
    repository.forget_what_was_checked_out();
    assert_eq!(repository.edit(1_500), SAVED, "nothing is known of the branch then");
}

#[test]
fn a_file_or_function_of_another_name_says_nothing() {
    let repository = Repository::new();
    repository.commit_as("before.py", &text(1, 1), 1_000, 1_000);
    fs::remove_file(repository.project.path("src/before.py")).expect("removed");
    repository.commit(&text(1, 1), 2_000);
    assert_eq!(repository.edit(1_500), Edit::Unknown);
    assert_eq!(repository.edit(2_500), Edit::Unchanged);
    repository
        .project
        .write("src/a.py", &text(1, 1).replace("def f", "def renamed"));
    assert_eq!(repository.edit(2_500), Edit::Unknown);
}

#[test]
fn only_what_is_not_known_otherwise_is_asked() {
    let repository = Repository::new();
    repository.commit(&text(1, 1), 1_000);
    let (mut workspace, f) = repository.read();
    let (early, now) = (nanoseconds(1_500), nanoseconds(20_000_000_000 / 10));
    assert!(
        GitLook::new(&workspace, [(f, now * 4)]).is_empty(),
        "the file was not written since"
    );
    let look = GitLook::new(&workspace, [(f, early)]);
    workspace.apply_git(look.run());
    assert_eq!(workspace.edited_since(f, early), Edit::Unchanged);
    assert_eq!(workspace.edited_since(f, early + 1), Edit::Unchanged, "nor later");
    assert_eq!(workspace.edited_since(f, early - 1), Edit::Unknown);
    assert!(GitLook::new(&workspace, [(f, early)]).is_empty());
    let unknown = nanoseconds(500);
    workspace.apply_git(GitLook::new(&workspace, [(f, unknown)]).run());
    assert_eq!(workspace.edited_since(f, unknown), Edit::Unknown);
    assert!(GitLook::new(&workspace, [(f, unknown)]).is_empty(), "git did not know");
    // An answer is about one body.
    workspace.update(&repository.project.path("src/a.py"), &text(9, 1));
    assert_eq!(workspace.edited_since(f, early), Edit::Since { is_saved: false });
    // Without a repository, nothing is known.
    let alone = Project::without_flock(&[("a.py", &text(1, 1))]);
    let mut workspace = alone.workspace();
    let f = workspace.functions(&alone.path("a.py"))[0].id;
    workspace.apply_git(GitLook::new(&workspace, [(f, early)]).run());
    assert_eq!(workspace.edited_since(f, early), Edit::Unknown);
}

#[test]
fn a_repository_in_another_one_and_a_damaged_one_are_no_harm() {
    let outer = Repository::new();
    outer.commit(&text(1, 1), 1_000);
    let inner = outer.project.path("inner");
    gix::init(&inner).expect("a repository");
    outer.project.write("inner/b.py", &text(1, 1));
    outer.project.write("src/a.py", &text(2, 1));
    let mut workspace = outer.project.workspace();
    let of = |workspace: &Workspace, path: &str| workspace.functions(&outer.project.path(path))[0].id;
    let (a, b) = (of(&workspace, "src/a.py"), of(&workspace, "inner/b.py"));
    let time = nanoseconds(1_500);
    workspace.apply_git(GitLook::new(&workspace, [(b, time), (a, time)]).run());
    assert_eq!(workspace.edited_since(a, time), Edit::Perhaps);
    assert_eq!(workspace.edited_since(b, time), Edit::Unknown);
    // Every file of the repository is cut short, one after the other.
    let files = ignore::WalkBuilder::new(outer.git.git_dir())
        .standard_filters(false)
        .build();
    let files: Vec<_> = files
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_file())
        .collect();
    assert!(files.len() > 5);
    for file in files {
        let sound = fs::read(file.path()).expect("read");
        let mut permissions = file.metadata().expect("a file").permissions();
        #[expect(
            clippy::permissions_set_readonly_false,
            reason = "the file is about to be removed with its folder"
        )]
        permissions.set_readonly(false);
        fs::set_permissions(file.path(), permissions).expect("made writable");
        for damaged in [&sound[..sound.len() / 2], b"\xff\n\0", b""] {
            fs::write(file.path(), damaged).expect("written");
            let mut workspace = outer.project.workspace();
            let a = of(&workspace, "src/a.py");
            workspace.apply_git(GitLook::new(&workspace, [(a, time)]).run());
            let edit = workspace.edited_since(a, time);
            assert!(
                matches!(edit, Edit::Unknown | Edit::Perhaps),
                "{edit:?} with {}",
                file.path().display()
            );
        }
        fs::write(file.path(), sound).expect("written");
    }
}

#[test]
fn a_long_history_is_gone_back_to_the_span() {
    let repository = Repository::new();
    let first = repository.commit(&text(1, 1), 1_000);
    let mut parent = first;
    let by = |time: i64| gix::actor::Signature {
        name: "A".into(),
        email: "a@example.org".into(),
        time: gix::date::Time::new(time, 0),
    };
    for number in 0..1_500_u32 {
        let time = 2_000 + i64::from(number);
        let commit = Commit {
            tree: repository.tree("a.py", &text(1 + number / 700, number)),
            parents: [parent].into_iter().collect(),
            author: by(time),
            committer: by(time),
            encoding: None,
            message: "m".into(),
            extra_headers: Vec::new(),
        };
        parent = repository.git.write_object(&commit).expect("written").detach();
    }
    fs::write(repository.git.git_dir().join("HEAD"), format!("{parent}\n")).expect("written");
    repository.forget_what_was_checked_out();
    repository.project.write("src/a.py", &text(3, 0));
    assert_eq!(repository.edit(1_500), SAVED);
    assert_eq!(repository.edit(2_100), SAVED);
    assert_eq!(
        repository.edit(2_699),
        Edit::Perhaps,
        "the commit after it edits the function"
    );
    assert_eq!(repository.edit(3_450), Edit::Unchanged);
    let mut workspace = Workspace::new(repository.project.root());
    workspace.apply(Scan::run(&workspace.stamps(), None));
    assert!(GitLook::new(&workspace, []).is_empty());
}
