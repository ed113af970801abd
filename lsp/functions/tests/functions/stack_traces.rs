//! Recorded stack traces. Those in `tests/data/stack_traces` were made by running the programs beside them (`python.py`
//! says how); only that of Go is written by hand.

use std::fs;

use flockscope_functions::{FramePlace, StackFrame, Workspace, stack_frames};
use proptest::prelude::*;

use crate::project::{Project, data, place};

fn trace(name: &str) -> String {
    fs::read_to_string(data(&format!("stack_traces/{name}.txt"))).expect("the trace")
}

/// The frames of a trace: `shop.py:7 price`, the innermost last.
fn frames(text: &str) -> Vec<String> {
    let shown = stack_frames(text).into_iter().map(|frame| {
        let file = frame.path.rsplit('/').next().unwrap_or_default();
        format!("{file}:{} {}", frame.line, frame.function.unwrap_or_default())
    });
    shown.collect()
}

/// The programs that made the traces, in a folder that is another one than at that time.
fn programs() -> Project {
    let project = Project::without_flock(&[]);
    let folder = data("stack_traces/project");
    for path in ["shop.py", "shop.js", "shop.rs", "till.go", "com/example/Shop.java"] {
        let text = fs::read_to_string(folder.join(path)).expect("the program");
        project.write(&format!("project/{path}"), &text);
    }
    project
}

/// Where an exception was raised: `shop.py:7 Shop.price`, and whether that is certain. Lines from 1, as in an editor.
fn shown(workspace: &Workspace, found: Option<FramePlace<'_>>) -> (String, bool) {
    let Some(found) = found else {
        return ("nowhere".to_owned(), false);
    };
    let function = match found.function {
        Some(function) => place(workspace, function),
        None => found
            .path
            .strip_prefix(workspace.root())
            .expect("inside")
            .display()
            .to_string(),
    };
    (format!("{} {function}", found.line + 1), found.is_certain)
}

fn raised_at(text: &str) -> (String, bool) {
    let project = programs();
    let workspace = project.workspace();
    shown(&workspace, workspace.place_of_frame(&stack_frames(text)))
}

fn certain(place: &str) -> (String, bool) {
    (place.to_owned(), true)
}

#[test]
fn tracebacks_of_python_are_read_with_their_carets() {
    let expected = ["python.py:13 record", "python.py:20 <lambda>", "shop.py:7 price"];
    assert_eq!(frames(&trace("carets")), expected);
    assert_eq!(raised_at(&trace("carets")), certain("7 project/shop.py Shop.price"));
    let frame = stack_frames(&trace("carets")).pop().expect("a frame");
    let price = StackFrame {
        path: "/srv/shop/project/shop.py".to_owned(),
        line: 7,
        function: Some("price".to_owned()),
    };
    assert_eq!(frame, price);
}

#[test]
fn the_frames_of_the_last_of_chained_exceptions_come_last() {
    let key_error = [
        "shop.py:16 checked",
        "shop.py:12 total",
        "shop.py:12 <genexpr>",
        "shop.py:7 price",
    ];
    let value_error = ["python.py:13 record", "python.py:21 <lambda>", "shop.py:18 checked"];
    let read = frames(&trace("cause"));
    assert_eq!(
        read,
        [&key_error[..], &value_error].concat(),
        "and no frame of the message"
    );
    assert_eq!(raised_at(&trace("cause")), certain("18 project/shop.py Shop.checked"));
    let read = frames(&trace("context"));
    let attribute_error = ["python.py:13 record", "python.py:22 <lambda>", "shop.py:24 twice"];
    let between = ["shop.py:22 twice", "shop.py:18 checked"];
    assert_eq!(read, [&key_error[..], &between, &attribute_error].concat());
    assert_eq!(raised_at(&trace("context")), certain("24 project/shop.py Shop.twice"));
}

#[test]
fn a_group_comes_after_the_exceptions_that_it_holds() {
    let read = frames(&trace("group"));
    assert_eq!(read[..2], ["shop.py:33 fail", "shop.py:33 fail"]);
    assert_eq!(read.last().map(String::as_str), Some("taskgroups.py:145 __aexit__"));
    assert_eq!(read.len(), 9);
    // The library's own frame is passed by.
    assert_eq!(raised_at(&trace("group")), certain("37 project/shop.py group"));
}

#[test]
fn recursion_and_errors_of_syntax_are_read() {
    assert_eq!(frames(&trace("recursion"))[2..], ["shop.py:28 depth"; 3]);
    assert_eq!(frames(&trace("syntax"))[2], "broken.py:1 ");
}

#[test]
fn a_traceback_in_a_message_is_not_where_it_was_raised() {
    let remote = "Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in own\n    fail()\nRuntimeError: remote said\n\
                  Traceback (most recent call last):\n  File \"/srv/b.py\", line 9, in other\n    x\nValueError\n";
    assert_eq!(frames(remote), ["b.py:9 other", "a.py:3 own"]);
}

#[test]
fn a_traceback_that_was_cut_is_read_as_far_as_it_goes() {
    let text = trace("cause");
    let at = text
        .find("  File \"/srv/shop/project/shop.py\", line 12, in <genexpr>")
        .expect("the frame");
    assert_eq!(frames(&text[at..])[..2], ["shop.py:12 <genexpr>", "shop.py:7 price"]);
    assert_eq!(frames(&text[at + 10..])[0], "shop.py:7 price");
    assert_eq!(frames(&text[..at]), ["shop.py:16 checked", "shop.py:12 total"]);
}

#[test]
fn traces_of_other_languages_are_read() {
    assert_eq!(
        frames(&trace("javascript")),
        ["shop.js:7 Shop.total", "shop.js:7 ", "shop.js:3 Shop.price"]
    );
    assert_eq!(raised_at(&trace("javascript")), certain("3 project/shop.js Shop.price"));
    let java = frames(&trace("java"));
    let ends = [&java[0], &java[java.len() - 2], &java[java.len() - 1]];
    let expected = [
        "Shop.java:6 com.example.Shop.Till.total",
        "Shop.java:11 com.example.Shop.main",
        "Shop.java:7 com.example.Shop.Till.total",
    ];
    assert_eq!(ends, expected);
    assert_eq!(
        raised_at(&trace("java")),
        certain("7 project/com/example/Shop.java Shop.Till.total")
    );
    let rust = frames(&trace("rust"));
    assert_eq!(
        rust[1..4],
        [
            "shop.rs:2 shop::main",
            "shop.rs:1 shop::shop::price",
            "shop.rs:1 shop::shop::price"
        ]
    );
    let go = frames(&trace("go"));
    assert_eq!(
        go[..2],
        ["till.go:14 main.main", "till.go:10 example.com/shop.(*Till).Total"]
    );
    assert_eq!(raised_at(&trace("go")), certain("10 project/till.go Till.Total"));
    let firefox = "price@https://example.org/shop.js:3:25\nasync*total@https://example.org/shop.js:7:18\n@https://example.org/shop.js:10:1\n";
    assert_eq!(frames(firefox), ["shop.js:10 ", "shop.js:7 total", "shop.js:3 price"]);
    let panic = "thread 'main' panicked at src/shop.rs:1:81:\nno price\n";
    assert_eq!(frames(panic), ["shop.rs:1 "]);
}

#[test]
fn a_file_that_was_edited_or_only_bears_the_name_is_not_certain() {
    let project = Project::new(&[
        ("pkg/shop.py", "# moved\n\ndef price():\n    return 1\n\nprice()\n"),
        ("pkg/base_events.py", "def run_until_complete():\n    pass\n"),
    ]);
    let workspace = project.workspace();
    let at = |path: &str, line: u32, function: Option<&str>| {
        let frame = StackFrame {
            path: path.to_owned(),
            line,
            function: function.map(ToOwned::to_owned),
        };
        shown(&workspace, workspace.place_of_frame(&[frame]))
    };
    let unsure = |place: &str| (place.to_owned(), false);
    let nowhere = unsure("nowhere");
    let here = project.path("pkg/shop.py");
    let here = here.to_str().expect("text");
    assert_eq!(at(here, 4, Some("price")), certain("4 pkg/shop.py price"));
    assert_eq!(at(here, 6, Some("<module>")), certain("6 pkg/shop.py"));
    assert_eq!(at("/app/pkg/shop.py", 4, Some("price")), certain("4 pkg/shop.py price"));
    assert_eq!(
        at(here, 4, Some("other")),
        unsure("4 pkg/shop.py price"),
        "it was renamed"
    );
    assert_eq!(at(here, 6, Some("price")), unsure("6 pkg/shop.py"), "the line moved");
    assert_eq!(
        at(here, 400, Some("price")),
        unsure("400 pkg/shop.py"),
        "the file is shorter now"
    );
    assert_eq!(at(here, 4, Some("<module>")), unsure("4 pkg/shop.py price"));
    assert_eq!(
        at(here, 4, None),
        unsure("4 pkg/shop.py price"),
        "the trace names no function"
    );
    assert_eq!(
        at("/elsewhere/shop.py", 4, Some("price")),
        unsure("4 pkg/shop.py price")
    );
    assert_eq!(at("/elsewhere/shop.py", 4, Some("other")), nowhere);
    let library = "/usr/local/lib/python3.11/asyncio/base_events.py";
    assert_eq!(at(library, 1, Some("run_until_complete")), nowhere);
    let flock = project.path(".venv/lib/python3.11/site-packages/flock/agent.py");
    assert_eq!(at(flock.to_str().expect("text"), 6, Some("execute")), nowhere);
    assert_eq!(at("<frozen importlib._bootstrap>", 1, Some("_load")), nowhere);
    assert_eq!(at("", 1, None), nowhere);
}

#[test]
fn many_traces_are_placed_as_each_alone() {
    let project = programs();
    let workspace = project.workspace();
    let names = ["carets", "syntax", "javascript", "go"];
    let traces: Vec<_> = names.iter().map(|name| stack_frames(&trace(name))).collect();
    let together = workspace.places_of_frames(traces.iter().map(Vec::as_slice));
    assert_eq!(
        together.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, false, true, true]
    );
    for (frames, found) in traces.iter().zip(together) {
        assert_eq!(workspace.place_of_frame(frames), found);
    }
}

#[test]
fn two_files_of_the_same_end_are_told_apart_by_the_function() {
    let project = Project::without_flock(&[
        ("a/shop.py", "def price():\n    return 1\n"),
        ("b/shop.py", "def total():\n    return 1\n"),
    ]);
    let workspace = project.workspace();
    let at = |function: &str| {
        let text = format!("Traceback (most recent call last):\n  File \"/srv/shop.py\", line 2, in {function}\nE\n");
        shown(&workspace, workspace.place_of_frame(&stack_frames(&text))).0
    };
    assert_eq!(at("price"), "2 a/shop.py price");
    assert_eq!(at("total"), "2 b/shop.py total");
    assert_eq!(at("other"), "nowhere");
}

#[test]
fn what_is_too_long_is_cut_away_from_the_exception() {
    let frame = |line: u32| format!("  File \"a.py\", line {line}, in f\n    x()\n");
    let many: String = (1..=3_000).map(frame).collect();
    let read = stack_frames(&format!("Traceback (most recent call last):\n{many}E: no\n"));
    assert_eq!((read.len(), read[0].line, read[999].line), (1_000, 2_001, 3_000));
    let long = format!(
        "Traceback (most recent call last):\n{}{}E\n",
        "    é\n".repeat(300_000),
        frame(7)
    );
    assert_eq!(frames(&long), ["a.py:7 f"]);
    let many: String = (1..=3_000).map(|line| format!("    at f (a.js:{line}:1)\n")).collect();
    let read = stack_frames(&many);
    assert_eq!((read.len(), read[999].line), (1_000, 1));
    let long = format!("  File \"{}\", line 1, in f\n", "a".repeat(5_000));
    assert_eq!(stack_frames(&long), []);
}

/// Pieces of traces in no order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("Traceback (most recent call last):\n"),
        Just("  + Exception Group Traceback (most recent call last):\n"),
        Just("  File \"/project/a.py\", line 1, in f\n"),
        Just("  |   File \"a\", line 99999999999, in \n"),
        Just("    | "),
        Just("\", line 2, in "),
        Just("  File \""),
        Just("\nThe above exception was the direct cause of the following exception:\n"),
        Just("\tat a.B.c(B.java:1)\n"),
        Just("at ("),
        Just("\t/a.go:3 +0x1\n"),
        Just("main.(("),
        Just("4: a::b\n at ./a.rs:1:2\n"),
        Just("@:1:1\n"),
        Just(" panicked at "),
        Just("é🦆\r\n"),
        Just("\u{0}\u{b}::"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_taken(text in prop_oneof![pieces(), "\\PC{0,200}"]) {
        let mut workspace = Workspace::new(std::path::Path::new("/project"));
        workspace.update(std::path::Path::new("/project/a.py"), "def f(): ...\n");
        let frames = stack_frames(&text);
        for frame in &frames {
            prop_assert!(frame.line > 0 && text.contains(frame.path.rsplit('/').next().unwrap_or_default()));
        }
        if let Some(found) = workspace.place_of_frame(&frames) {
            prop_assert!(frames[found.frame].line == found.line + 1);
        }
    }
}
