//! From span to function. What is expected was worked out by hand from Python's rules: `module` is where the function that
//! ran is defined, `class` is the class of the object, and methods are looked for in the order of C3.

use std::path::PathBuf;

use flockscope_functions::{Evidence, Matches, Observed, Part, Scan, Workspace};

use crate::project::{Project, span, whose, whose_is};

#[test]
fn a_base_gathers_subclasses_and_unrelated_classes_of_one_file_stay_apart() {
    let project = Project::new(&[(
        "engines.py",
        "from flock.components import EngineComponent\nclass Base(EngineComponent):\n    def run(self): ...\nclass A(Base): ...\nclass B(Base):\n    def run(self): ...\nclass Other:\n    def run(self): ...\n",
    )]);
    let workspace = project.workspace();
    let observed = [
        span(1, "engines", "A", "run"),
        span(2, "engines", "B", "run"),
        span(3, "engines", "Other", "run"),
        span(4, "engines", "Base", "run"),
    ];
    let matches = workspace.match_operations(&observed);
    assert_eq!(whose(&workspace, &matches, 1), ["exact engines.py Base.run"]);
    assert_eq!(whose(&workspace, &matches, 2), ["exact engines.py B.run"]);
    assert_eq!(whose(&workspace, &matches, 3), ["exact engines.py Other.run"]);
    assert_eq!(whose(&workspace, &matches, 4), ["exact engines.py Base.run"]);
    let base = matches.functions_of(1)[0].function;
    let of_base: Vec<u64> = matches.of(base).iter().map(|found| found.observed).collect();
    assert_eq!(of_base, [1, 4]);
}

#[test]
fn super_across_files_is_told_by_the_module() {
    let project = Project::new(&[
        (
            "base.py",
            "from flock import Agent\nclass Base(Agent):\n    def run(self): ...\n",
        ),
        (
            "leaf.py",
            "from base import Base\nclass Leaf(Base):\n    def run(self):\n        return super().run()\n",
        ),
    ]);
    let workspace = project.workspace();
    let matches = workspace.match_operations(&[span(1, "leaf", "Leaf", "run"), span(2, "base", "Leaf", "run")]);
    assert_eq!(whose(&workspace, &matches, 1), ["exact leaf.py Leaf.run"]);
    assert_eq!(whose(&workspace, &matches, 2), ["exact base.py Base.run"]);
}

#[test]
fn super_within_a_file_is_told_by_nesting() {
    let text = "from flock import Agent\nclass Base(Agent):\n    def run(self): ...\n    def walk(self): ...\nclass Leaf(Base):\n    def run(self):\n        return super().run()\n    def walk(self):\n        return self.walk()\n";
    let project = Project::new(&[("a.py", text)]);
    let workspace = project.workspace();
    let nested = Observed {
        parents: vec![(7, 4), (1, 3)],
        ..span(1, "a", "Leaf", "run")
    };
    let recursion = Observed {
        parents: vec![(2, 3)],
        ..span(2, "a", "Leaf", "walk")
    };
    let matches = workspace.match_operations(&[nested, recursion]);
    assert_eq!(
        whose(&workspace, &matches, 1),
        ["inferred nested a.py Base.run", "inferred outer a.py Leaf.run"]
    );
    assert!(
        matches
            .functions_of(1)
            .iter()
            .all(|found| found.evidence == Evidence::Nesting)
    );
    // A method that calls itself and not its base is its own parent.
    assert_eq!(whose(&workspace, &matches, 2), ["exact a.py Leaf.walk"]);
    // Without a nested span, the base was not reached.
    assert_eq!(
        whose_is(&workspace, span(3, "a", "Leaf", "run")),
        ["inferred a.py Leaf.run"]
    );
}

/// What the server knows of an operation: how many of its spans are within a span of the same one.
fn within_itself(id: u64, class: &str, function: &str, calls: u64) -> Observed {
    Observed {
        parents: vec![(id, calls)],
        ..span(id, "engines", class, function)
    }
}

#[test]
fn the_number_of_spans_within_their_own_operation_divides_class_and_base() {
    // As Flock records it: `module` is that of both, `class` that of the object.
    let text = "from flock.components import EngineComponent\nclass Base(EngineComponent):\n    async def evaluate(self, agent, ctx, inputs):\n        return inputs\n    async def on_error(self, *args): ...\n\
                class Leaf(Base):\n    async def evaluate(self, agent, ctx, inputs):\n        kept = await self.helper()\n        return await super().evaluate(agent, ctx, kept)\n    def helper(self): ...\n\
                class Plain(Base): ...\nclass Own(Base):\n    async def evaluate(self, agent, ctx, inputs):\n        return await self.evaluate(agent, ctx, inputs)\n";
    let project = Project::new(&[("engines.py", text)]);
    let workspace = project.workspace();
    let observed = [
        within_itself(40, "Leaf", "evaluate", 12),
        within_itself(41, "Plain", "evaluate", 0),
        within_itself(42, "Own", "evaluate", 5),
        within_itself(43, "Leaf", "helper", 2),
        within_itself(44, "Leaf", "on_error", 0),
        // None of its spans is within another: the base was not reached.
        within_itself(45, "Leaf", "evaluate", 0),
        // The parents of another operation say nothing about this one.
        Observed {
            parents: vec![(40, 9)],
            ..span(46, "engines", "Leaf", "evaluate")
        },
    ];
    let matches = workspace.match_operations(&observed);
    let base = "engines.py Base.evaluate";
    let leaf = "engines.py Leaf.evaluate";
    for (id, expected) in [
        (
            40,
            vec![format!("inferred nested {base}"), format!("inferred outer {leaf}")],
        ),
        (41, vec![format!("exact {base}")]),
        (42, vec!["exact engines.py Own.evaluate".to_owned()]),
        (43, vec!["exact engines.py Leaf.helper".to_owned()]),
        (44, vec!["exact engines.py Base.on_error".to_owned()]),
        (45, vec![format!("inferred {leaf}")]),
        (46, vec![format!("inferred {leaf}")]),
    ] {
        assert_eq!(whose(&workspace, &matches, id), expected, "{id}");
    }
    // The base has the nested ones of its subclass, and all of the class that has no method of its own.
    let id = matches.functions_of(41)[0].function;
    let parts: Vec<_> = matches
        .of(id)
        .iter()
        .map(|found| (found.observed, found.part))
        .collect();
    assert_eq!(parts, [(41, Part::All), (40, Part::Nested)]);
}

#[test]
fn nesting_tells_nothing_of_a_method_that_makes_no_span_or_two() {
    let leaf = "class Leaf(Base):\n    def run(self):\n        super().run()\n        self.other.run()\n";
    let skipped = format!(
        "from flock import Agent\nfrom flock.logging.auto_trace import skip_trace\nclass Base(Agent):\n    @skip_trace\n    def run(self): ...\n{leaf}"
    );
    let project = Project::new(&[("engines.py", &skipped)]);
    assert_eq!(
        whose_is(&project.workspace(), within_itself(1, "Leaf", "run", 3)),
        ["exact engines.py Leaf.run"],
        "it calls itself on another object"
    );
    let twice = format!(
        "from flock import Agent\nfrom flock.logging.trace_and_logged import traced_and_logged\nclass Base(Agent):\n    @traced_and_logged\n    def run(self): ...\n{leaf}"
    );
    let project = Project::new(&[("engines.py", &twice)]);
    assert_eq!(
        whose_is(&project.workspace(), within_itself(1, "Leaf", "run", 3)),
        ["ambiguous engines.py Base.run", "ambiguous engines.py Leaf.run"]
    );
}

#[test]
fn a_chain_of_three_in_one_file_is_ambiguous_below_its_first() {
    let text = "from flock import Agent\nclass A(Agent):\n    def run(self): ...\nclass B(A):\n    def run(self):\n        super().run()\nclass C(B):\n    def run(self):\n        B.run(self)\n";
    let project = Project::new(&[("a.py", text)]);
    let workspace = project.workspace();
    let observed = Observed {
        parents: vec![(1, 8)],
        ..span(1, "a", "C", "run")
    };
    assert_eq!(
        whose_is(&workspace, observed),
        [
            "ambiguous nested a.py A.run",
            "ambiguous nested a.py B.run",
            "inferred outer a.py C.run"
        ]
    );
}

#[test]
fn a_mixin_of_another_file_between_class_and_base_makes_nesting_say_nothing() {
    let project = Project::new(&[
        ("mixin.py", "class Mixin:\n    def run(self):\n        super().run()\n"),
        (
            "a.py",
            "from flock import Agent\nfrom mixin import Mixin\nclass Base(Agent):\n    def run(self): ...\nclass Leaf(Mixin, Base):\n    def run(self):\n        super().run()\n",
        ),
    ]);
    let workspace = project.workspace();
    let observed = Observed {
        parents: vec![(9, 1)],
        ..span(1, "a", "Leaf", "run")
    };
    assert_eq!(
        whose_is(&workspace, observed),
        ["ambiguous a.py Base.run", "ambiguous a.py Leaf.run"]
    );
    assert_eq!(
        whose_is(&workspace, span(2, "mixin", "Leaf", "run")),
        ["exact mixin.py Mixin.run"]
    );
}

#[test]
fn a_diamond_is_searched_as_python_does() {
    // The order of D is D, B, C, A: C stands before A although B inherits from A.
    let text = "from flock import Agent\nclass A(Agent):\n    def run(self): ...\nclass B(A): ...\nclass C(A):\n    def run(self): ...\nclass D(B, C): ...\n";
    let project = Project::new(&[("a.py", text)]);
    let workspace = project.workspace();
    assert_eq!(whose_is(&workspace, span(1, "a", "D", "run")), ["exact a.py C.run"]);
    assert_eq!(whose_is(&workspace, span(1, "a", "B", "run")), ["exact a.py A.run"]);
}

#[test]
fn plain_functions_are_found_whatever_their_first_argument_is() {
    let text = "from flock.logging.trace_and_logged import traced_and_logged\n@traced_and_logged\ndef make(n): ...\ndef outer():\n    @traced_and_logged\n    def inner(x): ...\nclass C:\n    def make(self): ...\n";
    let project = Project::new(&[("tools.py", text)]);
    let workspace = project.workspace();
    assert_eq!(
        whose_is(&workspace, span(1, "tools", "int", "make")),
        ["exact tools.py make"]
    );
    assert_eq!(
        whose_is(&workspace, span(2, "tools", "str", "inner")),
        ["exact tools.py outer.inner"]
    );
    let without_arguments = Observed {
        class: None,
        name: "make".to_owned(),
        ..span(3, "tools", "", "make")
    };
    assert_eq!(whose_is(&workspace, without_arguments), ["exact tools.py make"]);
    // A method that is not traced makes no spans, so it was the function with such an object as its argument.
    assert_eq!(
        whose_is(&workspace, span(4, "tools", "C", "make")),
        ["exact tools.py make"]
    );
    let traced = Project::new(&[(
        "tools.py",
        &text.replace("class C:", "import flock\nclass C(flock.Agent):"),
    )]);
    let workspace = traced.workspace();
    assert_eq!(
        whose_is(&workspace, span(4, "tools", "C", "make")),
        ["ambiguous tools.py C.make", "ambiguous tools.py make"]
    );
}

#[test]
fn a_class_that_nobody_knows_is_inferred_from_module_and_function() {
    let text = "from flock import Agent\nclass A(Agent):\n    def only(self): ...\n    def both(self): ...\nclass B(Agent):\n    def both(self): ...\n";
    let project = Project::new(&[("a.py", text)]);
    let workspace = project.workspace();
    assert_eq!(
        whose_is(&workspace, span(1, "a", "MadeAtRunTime", "only")),
        ["inferred a.py A.only"]
    );
    assert_eq!(
        whose_is(&workspace, span(2, "a", "MadeAtRunTime", "both")),
        ["ambiguous a.py A.both", "ambiguous a.py B.both"]
    );
}

#[test]
fn main_is_the_file_that_was_run() {
    let class = "from flock import Agent\nclass Job(Agent):\n    def run(self): ...\n";
    let script = format!("{class}if __name__ == '__main__':\n    Job().run()\n");
    let one = Project::new(&[("tool/job.py", &script)]);
    assert_eq!(
        whose_is(&one.workspace(), span(1, "__main__", "Job", "run")),
        ["exact tool/job.py Job.run"]
    );
    // Another file with the same names is no script: that it was this one is a conclusion.
    let two = Project::new(&[("tool/job.py", &script), ("lib/job.py", class)]);
    assert_eq!(
        whose_is(&two.workspace(), span(1, "__main__", "Job", "run")),
        ["inferred tool/job.py Job.run"]
    );
    let three = Project::new(&[("a.py", &script), ("b.py", &script)]);
    assert_eq!(
        whose_is(&three.workspace(), span(1, "__main__", "Job", "run")),
        ["ambiguous a.py Job.run", "ambiguous b.py Job.run"]
    );
}

#[test]
fn modules_are_found_by_packages_source_folders_and_only_then_by_their_end() {
    let class = "class C:\n    def run(self): ...\n";
    let src = Project::new(&[
        ("src/shop/__init__.py", ""),
        ("src/shop/jobs.py", class),
        ("old/shop/jobs.py", class),
    ]);
    assert_eq!(
        whose_is(&src.workspace(), span(1, "shop.jobs", "C", "run")),
        ["exact src/shop/jobs.py C.run"]
    );
    let namespace = Project::new(&[("shop/parts/jobs.py", class)]);
    assert_eq!(
        whose_is(&namespace.workspace(), span(1, "shop.parts.jobs", "C", "run")),
        ["exact shop/parts/jobs.py C.run"]
    );
    let deep = Project::new(&[("services/a/lib/shop/jobs.py", class)]);
    assert_eq!(
        whose_is(&deep.workspace(), span(1, "shop.jobs", "C", "run")),
        ["exact services/a/lib/shop/jobs.py C.run"]
    );
    let package = Project::new(&[("shop/__init__.py", class), ("myshop/__init__.py", class)]);
    assert_eq!(
        whose_is(&package.workspace(), span(1, "shop", "C", "run")),
        ["exact shop/__init__.py C.run"]
    );
    let twice = Project::new(&[("one/jobs.py", class), ("two/jobs.py", class)]);
    assert_eq!(
        whose_is(&twice.workspace(), span(1, "jobs", "C", "run")),
        ["ambiguous one/jobs.py C.run", "ambiguous two/jobs.py C.run"]
    );
    assert_eq!(
        whose_is(&twice.workspace(), span(1, "other", "C", "go")),
        Vec::<String>::new()
    );
}

#[test]
fn classes_of_one_name_stay_apart_by_what_they_inherit() {
    let project = Project::new(&[
        (
            "a.py",
            "from flock import Agent\nclass Base(Agent):\n    def run(self): ...\n",
        ),
        ("b.py", "from a import Base\nclass Worker(Base): ...\n"),
        ("c.py", "class Worker:\n    def run(self): ...\n"),
    ]);
    let workspace = project.workspace();
    assert_eq!(
        whose_is(&workspace, span(1, "a", "Worker", "run")),
        ["exact a.py Base.run"]
    );
    assert_eq!(
        whose_is(&workspace, span(2, "c", "Worker", "run")),
        ["exact c.py Worker.run"]
    );
}

#[test]
fn a_base_that_nobody_can_read_is_not_taken_for_the_subclass() {
    // `E.on_error` is overridden here; the span is of the method of the base, reached by `super()`.
    let text = "from flock.components import EngineComponent\nclass E(EngineComponent):\n    async def on_error(self):\n        await super().on_error()\n";
    let project = Project::without_flock(&[("app.py", text)]);
    let workspace = project.workspace();
    assert_eq!(
        whose_is(&workspace, span(1, "flock.components", "E", "on_error")),
        Vec::<String>::new()
    );
    assert_eq!(
        whose_is(&workspace, span(2, "app", "E", "on_error")),
        ["exact app.py E.on_error"]
    );
}

#[test]
fn methods_without_an_object_bear_the_type_of_their_first_argument() {
    let text = "from flock import Agent\nfrom flock.logging.trace_and_logged import traced_and_logged\nclass A(Agent):\n    @staticmethod\n    def parse(text): ...\n    @classmethod\n    @traced_and_logged\n    def build(cls): ...\n";
    let project = Project::new(&[("a.py", text)]);
    let workspace = project.workspace();
    assert_eq!(
        whose_is(&workspace, span(1, "a", "str", "parse")),
        ["exact a.py A.parse"]
    );
    assert_eq!(
        whose_is(&workspace, span(2, "a", "AutoTracedMeta", "build")),
        ["exact a.py A.build"]
    );
}

#[test]
fn a_method_that_the_class_does_not_have_any_more_belongs_to_nobody() {
    let text = "from flock import Agent\nclass A(Agent):\n    def new(self): ...\nclass Other(Agent):\n    def old(self): ...\n";
    let project = Project::new(&[("a.py", text)]);
    let workspace = project.workspace();
    assert_eq!(whose_is(&workspace, span(1, "a", "A", "gone")), Vec::<String>::new());
    assert_eq!(
        whose_is(&workspace, span(1, "a", "A", "old")),
        Vec::<String>::new(),
        "that of the other class is not it"
    );
}

#[test]
fn a_class_with_a_base_that_is_made_at_run_time_is_inferred() {
    let text = "from flock import Agent\ndef make():\n    class Inner(Agent):\n        def run(self): ...\n    return Inner\nclass A(make()): ...\n";
    let project = Project::new(&[("a.py", text)]);
    assert_eq!(
        whose_is(&project.workspace(), span(1, "a", "A", "run")),
        ["inferred a.py make.Inner.run"]
    );
}

#[test]
fn code_attributes_name_the_function_even_from_another_machine() {
    let text = "class C:\n    def run(self):\n        return 1\n\ndef run():\n    def inner():\n        return 1\n    return inner\n";
    let project = Project::without_flock(&[("pkg/a.py", text), ("other/a.py", text)]);
    let workspace = project.workspace();
    let code = |path: Option<&str>, function: Option<&str>, line| Observed {
        id: 1,
        name: "GET /".to_owned(),
        code_file_path: path.map(ToOwned::to_owned),
        code_function_name: function.map(ToOwned::to_owned),
        code_line: line,
        ..Observed::default()
    };
    let here = project.path("pkg/a.py");
    let here = here.to_str();
    let whose_is = |observed| whose_is(&workspace, observed);
    assert_eq!(whose_is(code(here, Some("run"), Some(2))), ["exact pkg/a.py C.run"]);
    assert_eq!(whose_is(code(here, None, Some(7))), ["exact pkg/a.py run.inner"]);
    assert_eq!(
        whose_is(code(Some("pkg/a.py"), Some("run.<locals>.inner"), None)),
        ["exact pkg/a.py run.inner"]
    );
    assert_eq!(
        whose_is(code(Some("/app/pkg/a.py"), Some("C.run"), None)),
        ["exact pkg/a.py C.run"]
    );
    assert_eq!(
        whose_is(code(Some("C:\\app\\pkg\\a.py"), None, Some(5))),
        ["inferred pkg/a.py run"]
    );
    assert_eq!(
        whose_is(code(Some("/app/a.py"), Some("inner"), Some(6))),
        ["ambiguous other/a.py run.inner", "ambiguous pkg/a.py run.inner"]
    );
    assert_eq!(
        whose_is(code(here, Some("inner"), Some(1))),
        ["inferred pkg/a.py run.inner"],
        "the line is of another time"
    );
    assert_eq!(
        whose_is(code(None, Some("pkg.a.C.run"), None)),
        ["exact pkg/a.py C.run"]
    );
    assert_eq!(
        whose_is(code(Some("/app/pkg/a.py"), Some("gone"), None)),
        Vec::<String>::new()
    );
}

#[test]
fn a_written_name_is_inferred_and_written_twice_ambiguous() {
    let text = "@tracer.start_as_current_span('whole')\ndef a(): ...\ndef b():\n    with tracer.start_as_current_span('inside'): ...\ndef c():\n    with tracer.start_as_current_span('shared'): ...\ndef d():\n    with tracer.start_as_current_span('shared'): ...\n    with tracer.start_as_current_span(f'{x}'): ...\n";
    let project = Project::without_flock(&[("a.py", text)]);
    let workspace = project.workspace();
    let named = |id, name: &str| Observed {
        id,
        name: name.to_owned(),
        ..Observed::default()
    };
    let matches = workspace.match_operations(&[
        named(1, "whole"),
        named(2, "inside"),
        named(3, "shared"),
        named(4, "nothing"),
    ]);
    assert_eq!(whose(&workspace, &matches, 1), ["inferred a.py a"]);
    assert_eq!(matches.functions_of(1)[0].evidence, Evidence::Literal);
    assert_eq!(whose(&workspace, &matches, 2), ["inferred a.py b"]);
    assert_eq!(matches.functions_of(2)[0].evidence, Evidence::Inside);
    assert_eq!(matches.functions_of(2)[0].part, Part::All);
    assert_eq!(whose(&workspace, &matches, 3), ["ambiguous a.py c", "ambiguous a.py d"]);
    assert_eq!(whose(&workspace, &matches, 4), Vec::<String>::new());
}

#[test]
fn a_name_of_class_and_method_is_inferred_through_the_hierarchy() {
    let project = Project::new(&[
        (
            "a.py",
            "from flock import Agent\nclass A(Agent):\n    def run(self): ...\nclass B(A): ...\n",
        ),
        ("b.py", "class C:\n    def run(self): ...\n"),
        ("c.py", "class C:\n    def run(self): ...\n"),
    ]);
    let workspace = project.workspace();
    let named = |name: &str| Observed {
        name: name.to_owned(),
        ..Observed::default()
    };
    assert_eq!(whose_is(&workspace, named("B.run")), ["inferred a.py A.run"]);
    assert_eq!(
        whose_is(&workspace, named("C.run")),
        ["ambiguous b.py C.run", "ambiguous c.py C.run"]
    );
    assert_eq!(whose_is(&workspace, named("D.run")), Vec::<String>::new());
}

#[test]
fn full_names_of_other_languages_tell_classes_of_one_name_apart() {
    let class = "class Shop { void buy() {} }\n";
    let go = "package main\nfunc (c *Client) Do() {}\nfunc (s *Server) Do() {}\n";
    let project = Project::without_flock(&[
        ("a/com/one/Shop.java", class),
        ("a/com/two/Shop.java", class),
        ("main.go", go),
        ("src/bank.rs", "impl Bank { fn pay() {} }\nfn pay() {}\n"),
    ]);
    let workspace = project.workspace();
    let code = |function: &str| Observed {
        code_function_name: Some(function.to_owned()),
        ..Observed::default()
    };
    assert_eq!(
        whose_is(&workspace, code("com.two.Shop.buy")),
        ["exact a/com/two/Shop.java Shop.buy"]
    );
    assert_eq!(whose_is(&workspace, code("Shop.buy")).len(), 2);
    assert_eq!(
        whose_is(&workspace, code("main.(*Server).Do")),
        ["exact main.go Server.Do"]
    );
    assert_eq!(whose_is(&workspace, code("shop::bank::pay")), ["exact src/bank.rs pay"]);
    assert_eq!(
        whose_is(&workspace, code("shop::bank::Bank::pay")),
        ["exact src/bank.rs Bank.pay"]
    );
    assert_eq!(whose_is(&workspace, code("elsewhere.Thing.pay")), Vec::<String>::new());
}

#[test]
fn a_path_of_a_stack_trace_and_a_service_lead_to_their_places() {
    let project = Project::new(&[("shop/desk.py", "class Agent: ...\nclass Desk:\n    class Agent: ...\n")]);
    let workspace = project.workspace();
    assert_eq!(
        workspace.files_of_path("/app/shop/desk.py"),
        [project.path("shop/desk.py")]
    );
    assert_eq!(
        workspace.files_of_path("/usr/lib/python3.11/asyncio/base_events.py"),
        Vec::<PathBuf>::new()
    );
    let classes = workspace.classes_named("Agent");
    let places: Vec<_> = classes
        .iter()
        .map(|(path, class)| (path.ends_with("shop/desk.py"), class.line))
        .collect();
    assert_eq!(
        places,
        [(true, 0), (true, 2), (false, 3)],
        "that of the installed package comes last"
    );
    assert_eq!(workspace.classes(&project.path("shop/desk.py")).len(), 3);
}

#[test]
fn a_workspace_can_be_handed_from_thread_to_thread() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Workspace>();
    is_shared::<Scan>();
    is_shared::<Matches>();
}

#[test]
fn spans_of_a_real_run_with_super_and_a_static_method_find_their_functions() {
    // The spans are those that flock-core 0.5.7 made of `leaf.run(1); leaf.walk(); leaf.alone(); Base.parse("x"); leaf.parse("x")`.
    let base = "from flock.logging.auto_trace import AutoTracedMeta\nclass Base(metaclass=AutoTracedMeta):\n    def run(self, n=0): return n\n    def alone(self): return 1\n    @staticmethod\n    def parse(text): return text\n";
    let leaf = "from base_mod import Base\nclass Mid(Base):\n    def walk(self): return 1\nclass Leaf(Mid):\n    def run(self, n=0): return super().run(n)\n    def walk(self): return super().walk()\n";
    let project = Project::new(&[("base_mod.py", base), ("leaf_mod.py", leaf)]);
    let workspace = project.workspace();
    let with_parents = |observed: Observed, parents: &[(u64, u64)]| Observed {
        parents: parents.to_vec(),
        ..observed
    };
    let observed = [
        with_parents(span(1, "base_mod", "Leaf", "run"), &[(2, 1)]),
        span(2, "leaf_mod", "Leaf", "run"),
        with_parents(span(3, "leaf_mod", "Leaf", "walk"), &[(3, 1)]),
        span(4, "base_mod", "Leaf", "alone"),
        span(5, "base_mod", "str", "parse"),
        span(6, "base_mod", "Leaf", "parse"),
    ];
    let matches = workspace.match_operations(&observed);
    assert_eq!(whose(&workspace, &matches, 1), ["exact base_mod.py Base.run"]);
    assert_eq!(whose(&workspace, &matches, 2), ["exact leaf_mod.py Leaf.run"]);
    assert_eq!(
        whose(&workspace, &matches, 3),
        [
            "inferred nested leaf_mod.py Mid.walk",
            "inferred outer leaf_mod.py Leaf.walk"
        ]
    );
    assert_eq!(whose(&workspace, &matches, 4), ["exact base_mod.py Base.alone"]);
    assert_eq!(whose(&workspace, &matches, 5), ["exact base_mod.py Base.parse"]);
    assert_eq!(whose(&workspace, &matches, 6), ["exact base_mod.py Base.parse"]);
}
