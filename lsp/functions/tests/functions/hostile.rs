//! Texts that nobody meant well: nothing panics, nothing grows without bound, every range is one of the text.

use std::path::Path;

use flockscope_functions::{Observed, Workspace};
use proptest::prelude::*;

/// Reads a text in every language, and asks everything about it.
fn read(first: &str, second: &str) {
    for name in ["a.py", "a.rs", "a.ts", "a.js", "a.go", "A.java"] {
        let path = Path::new("/project").join(name);
        let mut workspace = Workspace::new(Path::new("/project"));
        for text in [first, second] {
            workspace.update(&path, text);
            let cut = |range: &std::ops::Range<u32>| {
                assert!(
                    text.get(range.start as usize..range.end as usize).is_some(),
                    "{range:?} of {text:?}"
                );
            };
            for function in workspace.functions(&path) {
                cut(&function.definition.range);
                cut(&function.definition.name_range);
                assert_eq!(workspace.function(function.id).expect("itself").id, function.id);
            }
            for literal in workspace.literals(&path) {
                cut(&literal.range);
            }
            for call in workspace.calls(&path) {
                cut(&call.name_range);
                cut(&call.range);
            }
            for offset in 0..=u32::try_from(text.len()).expect("short") {
                let _ = workspace.function_at(&path, offset);
                let _ = workspace.call_at(&path, offset);
            }
        }
    }
}

/// Pieces of code in no order.
fn code() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("class A(B):\n"),
        Just("class B(A, metaclass=M):\n"),
        Just("    def f(self):\n"),
        Just("        super().f()\n"),
        Just("@d(x)\n"),
        Just("from . import *\n"),
        Just("from .a import A as B\n"),
        Just("import a.b as c\n"),
        Just("A = B\n"),
        Just("B = A\n"),
        Just("\"\"\""),
        Just("f\"{"),
        Just("("),
        Just("]"),
        Just("\r\n"),
        Just("\t"),
        Just("é🦆"),
        Just("\u{feff}"),
        Just("t.start_as_current_span(f'{a}b')\n"),
        Just("#[instrument(name = \"x\")]\n"),
        Just("fn f() {}\n"),
        Just("impl A {"),
        Just("tracer.startActiveSpan(`a${b}`, () => {})"),
        Just("func (a *B) c() {}\n"),
        Just("@WithSpan void f() {}\n"),
        Just("}"),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_can_be_read(first in "\\PC{0,40}", second in "\\PC{0,40}") {
        read(&first, &second);
    }

    #[test]
    fn any_order_of_code_can_be_read(first in code(), second in code()) {
        read(&first, &second);
    }

    #[test]
    fn any_operation_can_be_matched(text in code(), name in ".{0,12}", class in "[AB.\\[]{0,3}", file in "[a/.\\\\py]{0,6}", line in 0_u32..9) {
        let mut workspace = Workspace::new(Path::new("/project"));
        workspace.update(Path::new("/project/a.py"), &text);
        let some = |text: &str| Some(text.to_owned());
        let observed = Observed {
            id: 1,
            parents: vec![(1, 1)],
            module: some("a"),
            class: some(&class),
            function: some("f"),
            code_file_path: (line % 2 == 0).then(|| file.clone()),
            code_function_name: (line % 3 == 0).then(|| name.clone()),
            code_line: Some(line),
            name,
            ..Observed::default()
        };
        let matches = workspace.match_operations(&[observed]);
        for found in matches.functions_of(1) {
            prop_assert!(workspace.function(found.function).is_some());
        }
    }
}

#[test]
fn text_that_nests_as_deep_as_it_is_long_is_read() {
    let deep = 3_000;
    for text in [
        "(".repeat(deep),
        "[".repeat(deep) + &"]".repeat(deep),
        "f(".repeat(deep),
        "-".repeat(deep),
        "a.".repeat(deep),
        "\"".repeat(deep),
        "{".repeat(deep),
    ] {
        let mut workspace = Workspace::new(Path::new("/project"));
        for name in ["a.py", "a.rs", "a.ts", "a.go", "A.java"] {
            workspace.update(&Path::new("/project").join(name), &text);
        }
    }
    let nested: String = (0..300)
        .map(|level| format!("{}def f{level}():\n", " ".repeat(level)))
        .collect();
    let mut workspace = Workspace::new(Path::new("/project"));
    let path = Path::new("/project/a.py");
    workspace.update(path, &(nested + &" ".repeat(300) + "pass\n"));
    let functions = workspace.functions(path);
    assert_eq!(functions.len(), 300);
    assert!(functions[299].qualified_name.len() < 300, "the name is cut");
}

#[test]
fn a_hierarchy_that_is_long_wide_or_circular_ends() {
    let mut text = String::from("class C0(C999): ...\n");
    for number in 1..1_000 {
        text.push_str(&format!("class C{number}(C{}):\n    def f(self): ...\n", number - 1));
    }
    let bases: Vec<String> = (0..1_000).map(|number| format!("C{number}")).collect();
    text.push_str(&format!("class Wide({}):\n    def f(self): ...\n", bases.join(", ")));
    let mut workspace = Workspace::new(Path::new("/project"));
    let path = Path::new("/project/a.py");
    workspace.update(path, &text);
    assert_eq!(workspace.functions(path).len(), 1_000);
    let observed = Observed {
        name: "Wide.f".to_owned(),
        module: Some("a".to_owned()),
        class: Some("Wide".to_owned()),
        function: Some("f".to_owned()),
        ..Observed::default()
    };
    assert_eq!(workspace.match_operations(&[observed]).functions_of(0).len(), 1);
}

#[test]
fn a_file_of_fifty_thousand_lines_is_read_and_edited() {
    let mut text = String::from("from flock import Agent\nclass Large(Agent):\n");
    for method in 0..16_666 {
        text.push_str(&format!(
            "    def m{method}(self):\n        return self.m{method}()\n\n"
        ));
    }
    assert!(text.lines().count() >= 50_000);
    let mut workspace = Workspace::new(Path::new("/project"));
    let path = Path::new("/project/a.py");
    workspace.update(path, &text);
    let at = text.find("def m9000").expect("the method");
    text.insert_str(at, "def extra(self): ...\n    ");
    workspace.update(path, &text);
    let functions = workspace.functions(path);
    assert_eq!(functions.len(), 16_667);
    assert!(functions.iter().all(|function| function.traced.is_some()));
    assert_eq!(functions[9_000].qualified_name, "Large.extra");
    let found = workspace.call_at(
        path,
        u32::try_from(text.rfind("m16665()").expect("a call")).expect("small"),
    );
    let callee = workspace
        .function(found.expect("a callee").candidates[0])
        .expect("a function");
    assert_eq!(callee.qualified_name, "Large.m16665");
}
