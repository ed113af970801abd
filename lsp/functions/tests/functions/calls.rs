//! What a call can mean. The cursor stands at `|`.

use std::ops::Range;
use std::path::PathBuf;

use flockscope_functions::{Callee, Workspace};

use crate::project::{Project, place};

/// A project that has a text open as `here.py`.
struct Opened {
    project: Project,
    workspace: Workspace,
}

impl Opened {
    fn new(project: Project, text: &str) -> Self {
        let mut workspace = project.workspace();
        workspace.update(&project.path("here.py"), text);
        Self { project, workspace }
    }

    fn path(&self) -> PathBuf {
        self.project.path("here.py")
    }

    fn candidates(&self, callee: &Callee) -> Vec<String> {
        let candidates = callee.candidates.iter();
        candidates.map(|id| place(&self.workspace, *id)).collect()
    }
}

/// The candidates for the call at the cursor, and whether it is known which.
fn callee(files: &[(&str, &str)], text: &str) -> (Vec<String>, bool) {
    let cursor = text.find('|').expect("a cursor");
    let opened = Opened::new(Project::new(files), &text.replacen('|', "", 1));
    let cursor = u32::try_from(cursor).expect("a short text");
    match opened.workspace.call_at(&opened.path(), cursor) {
        Some(callee) => (opened.candidates(&callee), callee.is_resolved),
        None => (Vec::new(), false),
    }
}

fn resolved(name: &str) -> (Vec<String>, bool) {
    (vec![name.to_owned()], true)
}

#[test]
fn functions_are_found_by_name_import_and_module() {
    let files = [(
        "tools.py",
        "def make(): ...\nclass Kit:\n    def __init__(self): ...\n    def use(self): ...\n",
    )];
    for (text, expected) in [
        ("def f(): ...\nf|()\n", "here.py f"),
        (
            "from tools import make as m\ndef g():\n    return m|()\n",
            "tools.py make",
        ),
        ("import tools as t\nt.ma|ke()\n", "tools.py make"),
        ("import tools\ntools.Kit.use|(1)\n", "tools.py Kit.use"),
        ("from tools import Kit\nKit().|use()\n", "tools.py Kit.use"),
        ("from tools import Kit\nK|it()\n", "tools.py Kit.__init__"),
        ("def f():\n    def inner(): ...\n    inn|er()\n", "here.py f.inner"),
        (
            "def f():\n    def g(): ...\n    def g(): ...\n    g|()\ndef g(): ...\n",
            "here.py f.g",
        ),
    ] {
        assert_eq!(callee(&files, text), resolved(expected), "{text}");
    }
}

#[test]
fn methods_are_found_through_self_super_and_the_installed_package() {
    let files = [(
        "base.py",
        "from flock.components import EngineComponent\nclass Base(EngineComponent):\n    def run(self): ...\n    def walk(self): ...\n",
    )];
    let class = "from base import Base\nclass Leaf(Base):\n    def walk(self): ...\n    async def run(self):\n";
    for (line, expected) in [
        ("self.w|alk()", "here.py Leaf.walk"),
        ("await super().r|un()", "base.py Base.run"),
        (
            "self.fetch_|conversation_context()",
            "flock/components.py EngineComponent.fetch_conversation_context",
        ),
        ("def later():\n            self.wa|lk()", "here.py Leaf.walk"),
    ] {
        let text = format!("{class}        {line}\n");
        assert_eq!(callee(&files, &text), resolved(expected), "{text}");
    }
}

#[test]
fn an_object_of_unknown_class_has_every_method_of_the_name_as_candidate() {
    let files = [("b.py", "class B:\n    def go(self): ...\n")];
    let (candidates, is_resolved) = callee(&files, "class A:\n    def go(self): ...\ndef f(x):\n    x.go|()\n");
    assert_eq!(candidates, ["here.py A.go", "b.py B.go"]);
    assert!(!is_resolved);
    assert_eq!(callee(&files, "print|()\n"), (Vec::new(), false));
    assert_eq!(callee(&files, "x = 1| + f()\n"), (Vec::new(), false));
}

#[test]
fn calls_say_where_they_stand() {
    let text = "def f():\n    a.b(c())\nd()\n";
    let opened = Opened::new(Project::without_flock(&[]), text);
    let calls = opened.workspace.calls(&opened.path());
    let said = calls.iter().map(|call| {
        let of = |range: &Range<u32>| &text[range.start as usize..range.end as usize];
        (
            of(&call.name_range),
            call.receiver.as_deref(),
            of(&call.range),
            call.function,
        )
    });
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            ("b", Some("a"), "a.b(c())", Some(0)),
            ("c", None, "c()", Some(0)),
            ("d", None, "d()", None)
        ]
    );
}

#[test]
fn all_calls_of_a_file_mean_together_what_each_means_alone() {
    let files = [(
        "base.py",
        "class Base:\n    def run(self): ...\n    def go(self): ...\ndef free(): ...\n",
    )];
    let text = "from base import Base, free\nclass Leaf(Base):\n    def run(self):\n        super().run(free())\n        \
                x.go(print(1))\n        def later():\n            self.go()\nfree(Leaf().run())\n";
    let opened = Opened::new(Project::new(&files), text);
    let path = opened.path();
    let callees = opened.workspace.callees(&path, 0..u32::MAX);
    let said = callees.iter().map(|callee| {
        let caller = callee.caller.map(|id| place(&opened.workspace, id));
        let line = text[..callee.range.start as usize].matches('\n').count();
        (
            line,
            caller.unwrap_or_default(),
            opened.candidates(callee).join(", "),
            callee.is_resolved,
        )
    });
    let run = "here.py Leaf.run";
    let expected = [
        (3, run, "base.py Base.run", true),
        (3, run, "base.py free", true),
        (4, run, "base.py Base.go", false),
        (6, "here.py Leaf.run.later", "base.py Base.go", true),
        (7, "", "base.py free", true),
        (7, "", "here.py Leaf.run", true),
    ];
    let expected =
        expected.map(|(line, caller, meant, is_resolved)| (line, caller.to_owned(), meant.to_owned(), is_resolved));
    assert_eq!(said.collect::<Vec<_>>(), expected);
    for callee in &callees {
        assert_eq!(
            opened.workspace.call_at(&path, callee.name_range.start).as_ref(),
            Some(callee)
        );
    }
    // An editor asks about the lines that it shows.
    let shown = callees[2].name_range.start..callees[3].name_range.start;
    assert_eq!(opened.workspace.callees(&path, shown.clone()), callees[2..3]);
    // What is counted for a function is counted in the whole of it.
    assert_eq!(opened.workspace.callees_of_functions(&path, shown), callees[..3]);
    opened
        .workspace
        .call_at(&path, u32::MAX)
        .ok_or(())
        .expect_err("no call is there");
}

#[test]
fn many_functions_of_one_name_are_cut_and_those_of_the_file_come_first() {
    let others: String = (0..80)
        .map(|class| format!("class C{class}:\n    def go(self): ...\n"))
        .collect();
    let opened = Opened::new(
        Project::without_flock(&[("a.py", &others)]),
        "class A:\n    def go(self): ...\nx.go()\n",
    );
    let callees = opened.workspace.callees(&opened.path(), 0..u32::MAX);
    assert_eq!(callees.len(), 1);
    let candidates = opened.candidates(&callees[0]);
    assert_eq!(candidates.len(), 50);
    assert_eq!(candidates[0], "here.py A.go");
}
