//! Texts while they are edited: what is known must not flicker, and must be what a fresh reading would say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use flockscope_functions::Workspace;

use crate::project::data;

const PATH: &str = "/project/engines.py";

fn engines() -> String {
    fs::read_to_string(data("../../../../tests/data/helpdesk/engines.py")).expect("the sample")
}

fn names(workspace: &Workspace) -> BTreeSet<String> {
    let functions = workspace.functions(Path::new(PATH)).into_iter();
    functions.map(|function| function.qualified_name).collect()
}

fn opened(text: &str) -> Workspace {
    let mut workspace = Workspace::new(Path::new("/project"));
    workspace.update(Path::new(PATH), text);
    workspace
}

#[test]
fn a_line_that_is_being_typed_takes_no_function_away() {
    let text = engines();
    let all = names(&opened(&text));
    assert_eq!(all.len(), 15);
    for typed in [
        "foo(a, [{",
        "x = f\"{n",
        "\"\"\"doc",
        "class X(",
        "for a in b:",
        "self.",
        "print('",
    ] {
        for (at, line) in lines_with_start(&text)
            .filter(|(_, line)| !line.trim().is_empty())
            .step_by(5)
        {
            let mut workspace = opened(&text);
            let end = at + line.len();
            let indent = &line[..line.len() - line.trim_start().len()];
            for length in 1..=typed.len() {
                let mut now = text.clone();
                now.insert_str(end, &format!("{indent}{}\n", &typed[..length]));
                workspace.update(Path::new(PATH), &now);
                let missing: Vec<_> = all.difference(&names(&workspace)).cloned().collect();
                assert_eq!(missing, Vec::<String>::new(), "{:?} after {line:?}", &typed[..length]);
                for function in workspace.functions(Path::new(PATH)) {
                    let range = &function.definition.name_range;
                    assert_eq!(
                        &now[range.start as usize..range.end as usize],
                        &*function.definition.name
                    );
                }
            }
        }
    }
}

fn lines_with_start(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |start, line| {
        let at = *start;
        *start += line.len();
        Some((at, line))
    })
}

#[test]
fn a_class_that_is_divided_in_two_or_a_function_that_is_taken_away_is_believed() {
    let text = "class A:\n    def a(self): ...\n    def b(self): ...\n";
    let mut workspace = opened(text);
    workspace.update(
        Path::new(PATH),
        "class A:\n    def a(self): ...\nclass B:\n    def b(self): ...\n",
    );
    assert_eq!(names(&workspace), BTreeSet::from(["A.a".to_owned(), "B.b".to_owned()]));
    workspace.update(Path::new(PATH), "class A:\n    def a(self): ...\n");
    assert_eq!(names(&workspace), BTreeSet::from(["A.a".to_owned()]));
    workspace.update(Path::new(PATH), "class A:\n    def renamed(self): ...\n");
    assert_eq!(names(&workspace), BTreeSet::from(["A.renamed".to_owned()]));
    workspace.update(Path::new(PATH), "class A:\n    def renamed(self): ...\n    x = (\n");
    workspace.update(Path::new(PATH), "class A:\n    x = (\n");
    assert_eq!(names(&workspace), BTreeSet::new());
}

#[test]
fn a_text_typed_character_by_character_ends_as_one_that_was_opened() {
    let text = "from flock import Agent\n\n\nclass Größe(Agent):\n    @skip\n    def eins(self):\n        return [x for x in (1, 2)]\n\n    async def zwei(self):\n        with span(f\"a{1}\"):\n            await self.eins()\n";
    let mut workspace = opened("");
    for (end, _) in text.char_indices().skip(1).chain([(text.len(), ' ')]) {
        workspace.update(Path::new(PATH), &text[..end]);
    }
    let fresh = opened(text);
    assert_eq!(workspace.functions(Path::new(PATH)), fresh.functions(Path::new(PATH)));
    assert_eq!(workspace.calls(Path::new(PATH)), fresh.calls(Path::new(PATH)));
}

#[test]
fn the_name_of_a_function_stays_while_others_are_written() {
    let text = engines();
    let mut workspace = opened(&text);
    let find = |workspace: &Workspace| {
        let functions = workspace.functions(Path::new(PATH));
        functions
            .iter()
            .find(|function| function.qualified_name == "RiskEngine.score")
            .expect("the method")
            .id
    };
    let id = find(&workspace);
    workspace.update(
        Path::new(PATH),
        &format!("def before():\n    def score(): ...\n\nclass Early:\n    def score(self): ...\n\n{text}"),
    );
    assert_eq!(find(&workspace), id);
    assert_eq!(
        workspace.function(id).expect("the method").qualified_name,
        "RiskEngine.score"
    );
    workspace.update(Path::new(PATH), &text.replace("def score", "def points"));
    assert!(workspace.function(id).is_none());
}

#[test]
fn only_what_runs_counts_for_the_hash_of_a_function() {
    let body = |text: &str| opened(text).functions(Path::new(PATH))[0].definition.body;
    let written = body("def f(a, b=1):\n    \"\"\"Says.\"\"\"\n    if a:\n        b += 1\n    return b\n");
    let laid_out =
        "# Above.\n\ndef f(a,\n      b = 1):\n  '''Says\n  more.'''\n\n  if a: # why\n    b  +=  1\n  return b\n";
    assert_eq!(body(laid_out), written);
    assert_eq!(body(&laid_out.replace('\n', "\r\n")), written);
    assert_eq!(
        body("def f(a, b=1):\n    if a:\n        b += 1\n    return b\n"),
        written
    );
    for changed in [
        "def f(a, b=2):\n    if a:\n        b += 1\n    return b\n",
        "def f(a, b=1):\n    if a:\n        b += 2\n    return b\n",
        "def f(a, b=1):\n    if a:\n        b += 1\n        return b\n",
        "@cached\ndef f(a, b=1):\n    if a:\n        b += 1\n    return b\n",
        "def f(a, b=1):\n    'x'.join(a)\n    if a:\n        b += 1\n    return b\n",
    ] {
        assert_ne!(body(changed), written, "{changed}");
    }
}

#[test]
fn a_function_within_changes_the_hash_of_the_one_around_it_and_not_of_the_next() {
    let bodies = |value: u32| {
        let workspace = opened(&format!(
            "def outer():\n    def inner():\n        return {value}\n    return inner\ndef next():\n    return 1\n"
        ));
        workspace
            .functions(Path::new(PATH))
            .iter()
            .map(|function| function.definition.body)
            .collect::<Vec<_>>()
    };
    let (one, two) = (bodies(1), bodies(2));
    assert_ne!(one[0], two[0]);
    assert_ne!(one[1], two[1]);
    assert_eq!(one[2], two[2]);
}

#[test]
fn a_closed_file_is_as_it_was_and_a_removed_one_is_gone() {
    let mut workspace = opened("def a():\n    b()\n");
    workspace.close(Path::new(PATH));
    assert_eq!(names(&workspace).len(), 1);
    assert!(workspace.calls(Path::new(PATH)).is_empty());
    workspace.remove(Path::new(PATH));
    assert_eq!(names(&workspace).len(), 0);
    assert_eq!(workspace.file_count(), 0);
    workspace.update(Path::new(PATH), "def c(): ...\n");
    assert_eq!(names(&workspace), BTreeSet::from(["c".to_owned()]));
}
