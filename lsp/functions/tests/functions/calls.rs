//! What a call can mean. The cursor stands at `|`.

use crate::project::{Project, place};

/// The candidates for the call at the cursor, and whether it is known which.
fn callee(files: &[(&str, &str)], text: &str) -> (Vec<String>, bool) {
    let project = Project::new(files);
    let mut workspace = project.workspace();
    let cursor = text.find('|').expect("a cursor");
    let path = project.path("here.py");
    workspace.update(&path, &text.replacen('|', "", 1));
    match workspace.call_at(&path, u32::try_from(cursor).expect("a short text")) {
        Some(callee) => (
            callee.candidates.iter().map(|id| place(&workspace, *id)).collect(),
            callee.is_resolved,
        ),
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
    assert_eq!(callee(&files, "def f(): ...\nf|()\n"), resolved("here.py f"));
    assert_eq!(
        callee(&files, "from tools import make as m\ndef g():\n    return m|()\n"),
        resolved("tools.py make")
    );
    assert_eq!(
        callee(&files, "import tools as t\nt.ma|ke()\n"),
        resolved("tools.py make")
    );
    assert_eq!(
        callee(&files, "import tools\ntools.Kit.use|(1)\n"),
        resolved("tools.py Kit.use")
    );
    assert_eq!(
        callee(&files, "from tools import Kit\nKit().|use()\n"),
        resolved("tools.py Kit.use")
    );
    assert_eq!(
        callee(&files, "from tools import Kit\nK|it()\n"),
        resolved("tools.py Kit.__init__")
    );
    assert_eq!(
        callee(&files, "def f():\n    def inner(): ...\n    inn|er()\n"),
        resolved("here.py f.inner")
    );
}

#[test]
fn methods_are_found_through_self_super_and_the_installed_package() {
    let files = [(
        "base.py",
        "from flock.components import EngineComponent\nclass Base(EngineComponent):\n    def run(self): ...\n    def walk(self): ...\n",
    )];
    let class = "from base import Base\nclass Leaf(Base):\n    def walk(self): ...\n    async def run(self):\n";
    assert_eq!(
        callee(&files, &format!("{class}        self.w|alk()\n")),
        resolved("here.py Leaf.walk")
    );
    assert_eq!(
        callee(&files, &format!("{class}        await super().r|un()\n")),
        resolved("base.py Base.run")
    );
    assert_eq!(
        callee(&files, &format!("{class}        self.fetch_|conversation_context()\n")),
        resolved("flock/components.py EngineComponent.fetch_conversation_context")
    );
    assert_eq!(
        callee(
            &files,
            &format!("{class}        def later():\n            self.wa|lk()\n")
        ),
        resolved("here.py Leaf.walk")
    );
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
    let project = Project::without_flock(&[]);
    let mut workspace = project.workspace();
    let path = project.path("here.py");
    workspace.update(&path, text);
    let calls: Vec<_> = workspace
        .calls(&path)
        .iter()
        .map(|call| {
            let name = &text[call.name_range.start as usize..call.name_range.end as usize];
            let whole = &text[call.range.start as usize..call.range.end as usize];
            (name, call.receiver.as_deref(), whole, call.function)
        })
        .collect();
    assert_eq!(
        calls,
        [
            ("b", Some("a"), "a.b(c())", Some(0)),
            ("c", None, "c()", Some(0)),
            ("d", None, "d()", None)
        ]
    );
}
