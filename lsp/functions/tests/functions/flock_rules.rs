//! What Flock traces, as its metaclass and decorator do it. Each rule was looked up in flock-core 0.5.7.

use flockscope_functions::{Traced, Workspace};

use crate::project::{Project, traced};

/// The traced functions of one file that stands alone beside an installed Flock.
fn traced_in(text: &str) -> Vec<String> {
    let project = Project::new(&[("app.py", text)]);
    traced(&project.workspace(), &project.path("app.py"))
}

#[test]
fn public_methods_of_a_traced_class_are_traced_and_private_ones_are_not() {
    let text = "from flock import Agent\nclass Mine(Agent):\n    def run(self): ...\n    async def later(self): ...\n    \
                def _hidden(self): ...\n    def __call__(self): ...\nclass Other:\n    def run(self): ...\n";
    assert_eq!(traced_in(text), ["Mine.run", "Mine.later"]);
}

#[test]
fn the_metaclass_counts_directly_and_through_one_that_is_derived_from_it() {
    let text = "from flock.logging.auto_trace import AutoTracedMeta as Meta\nimport abc\n\
                class Both(abc.ABCMeta, Meta): ...\nclass A(metaclass=Meta):\n    def a(self): ...\n\
                class B(metaclass=Both):\n    def b(self): ...\nclass C(B):\n    def c(self): ...\n\
                class D(metaclass=abc.ABCMeta):\n    def d(self): ...\n";
    assert_eq!(traced_in(text), ["A.a", "B.b", "C.c"]);
}

#[test]
fn a_metaclass_of_the_same_name_that_is_not_flocks_traces_nothing() {
    let text = "class AutoTracedMeta(type): ...\nclass A(metaclass=AutoTracedMeta):\n    def a(self): ...\n";
    assert_eq!(traced_in(text), Vec::<String>::new());
}

#[test]
fn what_is_not_callable_in_the_body_of_a_class_is_passed_by() {
    let text = "import functools\nfrom flock import Agent\nclass Mine(Agent):\n    @property\n    def p(self): ...\n    \
                @p.setter\n    def p(self, value): ...\n    @classmethod\n    def c(cls): ...\n    @functools.cached_property\n    \
                def k(self): ...\n    @staticmethod\n    def s(): ...\n    @functools.lru_cache(maxsize=1)\n    def l(self): ...\n";
    assert_eq!(traced_in(text), ["Mine.s", "Mine.l"]);
}

#[test]
fn validators_and_computed_fields_of_pydantic_are_passed_by() {
    let text = "from flock.components import AgentComponent\nfrom pydantic import computed_field, field_validator, model_validator\n\
                class Mine(AgentComponent):\n    @field_validator('x')\n    def checked(cls, v): ...\n    @model_validator(mode='after')\n    def whole(self): ...\n    \
                @computed_field\n    @property\n    def c(self): ...\n    def model_post_init(self, ctx): ...\n    class Inner:\n        def f(self): ...\n";
    assert_eq!(traced_in(text), ["Mine.model_post_init"]);
}

#[test]
fn skip_trace_switches_the_metaclass_off_wherever_it_stands_in_the_stack() {
    let text = "from flock import Agent\nfrom flock.logging import auto_trace\nfrom flock.logging.auto_trace import skip_trace as quiet\n\
                class Mine(Agent):\n    @quiet\n    def a(self): ...\n    @other\n    @auto_trace.skip_trace\n    def b(self): ...\n    \
                @other\n    def c(self): ...\n";
    assert_eq!(traced_in(text), ["Mine.c"]);
}

#[test]
fn the_decorator_traces_functions_methods_and_nested_functions() {
    let text = "from flock.logging.trace_and_logged import traced_and_logged as traced\nimport flock.logging.trace_and_logged\n\
                @traced\ndef a(): ...\n@flock.logging.trace_and_logged.traced_and_logged\nasync def b():\n    \
                @traced\n    def inner(): ...\n    def plain(): ...\nclass C:\n    @classmethod\n    @traced\n    def d(cls): ...\n    \
                @traced\n    def _e(self): ...\ndef traced_and_logged(f): return f\n@traced_and_logged\ndef own(): ...\n";
    assert_eq!(traced_in(text), ["a", "b", "b.inner", "C.d", "C._e"]);
}

#[test]
fn the_decorator_on_a_method_that_the_metaclass_wraps_makes_two_spans() {
    let text = "from flock import Agent\nfrom flock.logging.trace_and_logged import traced_and_logged\nclass Mine(Agent):\n    \
                @traced_and_logged\n    def a(self): ...\n    def b(self): ...\n";
    let project = Project::new(&[("app.py", text)]);
    let workspace = project.workspace();
    let why: Vec<_> = workspace
        .functions(&project.path("app.py"))
        .into_iter()
        .map(|function| function.traced)
        .collect();
    let by_metaclass = |twice| {
        Some(Traced::Metaclass {
            from: "Agent".to_owned(),
            twice,
        })
    };
    assert_eq!(why, [by_metaclass(true), by_metaclass(false)]);
}

#[test]
fn inheritance_is_followed_across_files_aliases_relative_and_star_imports() {
    let project = Project::new(&[
        ("pkg/__init__.py", "from .base import *\n"),
        (
            "pkg/base.py",
            "import flock.components as fc\nComponent = fc.EngineComponent\nclass Base(Component):\n    def b(self): ...\n",
        ),
        ("pkg/deep/__init__.py", ""),
        (
            "pkg/deep/leaf.py",
            "from ..base import Base as B\nfrom .. import Base\nclass Leaf(B):\n    def l(self): ...\nclass Leaf2(Base):\n    def l2(self): ...\n",
        ),
        (
            "main.py",
            "import pkg\nimport pkg.deep.leaf\nfrom typing import Generic, TypeVar\nT = TypeVar('T')\nclass Main(pkg.deep.leaf.Leaf, Generic[T]):\n    def m(self): ...\nclass Next(Main[int]):\n    def n(self): ...\n",
        ),
    ]);
    let workspace = project.workspace();
    assert_eq!(traced(&workspace, &project.path("pkg/base.py")), ["Base.b"]);
    assert_eq!(
        traced(&workspace, &project.path("pkg/deep/leaf.py")),
        ["Leaf.l", "Leaf2.l2"]
    );
    assert_eq!(traced(&workspace, &project.path("main.py")), ["Main.m", "Next.n"]);
}

#[test]
fn a_src_layout_and_imports_below_type_checking_or_try_are_understood() {
    let project = Project::new(&[
        ("src/shop/__init__.py", ""),
        (
            "src/shop/engines.py",
            "try:\n    from flock.components import EngineComponent\nexcept ImportError:\n    raise\nclass E(EngineComponent):\n    def evaluate(self): ...\n",
        ),
        (
            "tests/test_shop.py",
            "from shop.engines import E\nclass Fake(E):\n    def fake(self): ...\n",
        ),
    ]);
    let workspace = project.workspace();
    assert_eq!(traced(&workspace, &project.path("src/shop/engines.py")), ["E.evaluate"]);
    assert_eq!(traced(&workspace, &project.path("tests/test_shop.py")), ["Fake.fake"]);
}

#[test]
fn of_methods_defined_twice_the_last_one_counts_unless_a_condition_decides() {
    let text = "from flock import Agent\nclass A(Agent):\n    def twice(self): return 1\n    def twice(self): return 2\n    \
                if X:\n        def either(self): return 1\n    else:\n        def either(self): return 2\n";
    let project = Project::new(&[("app.py", text)]);
    let workspace = project.workspace();
    let functions = workspace.functions(&project.path("app.py"));
    let is_traced: Vec<bool> = functions.iter().map(|function| function.traced.is_some()).collect();
    assert_eq!(is_traced, [false, true, true, true]);
}

#[test]
fn a_class_that_shadows_its_own_base_and_classes_in_a_circle_do_no_harm() {
    let text = "from flock import Agent\nclass Agent(Agent):\n    def run(self): ...\nclass A(B):\n    def a(self): ...\nclass B(A):\n    def b(self): ...\nclass C(C): ...\n";
    assert_eq!(traced_in(text), ["Agent.run"]);
}

#[test]
fn flocks_own_classes_are_known_by_name_where_flock_is_not_installed() {
    let text = "from flock.components import EngineComponent, AgentComponentConfig\nfrom flock.logging.trace_and_logged import traced_and_logged\n\
                class E(EngineComponent):\n    def evaluate(self): ...\nclass Settings(AgentComponentConfig):\n    def s(self): ...\n@traced_and_logged\ndef f(): ...\n";
    let project = Project::without_flock(&[("app.py", text)]);
    assert_eq!(
        traced(&project.workspace(), &project.path("app.py")),
        ["E.evaluate", "f"]
    );
}

#[test]
fn a_half_typed_file_keeps_what_can_be_read() {
    let text = "from flock import Agent\n\nclass Mine(Agent):\n    def done(self):\n        return 1\n\n    def typing(self):\n        return self.\n\n    def after(self):\n        return 2\n";
    assert_eq!(traced_in(text), ["Mine.done", "Mine.typing", "Mine.after"]);
    assert_eq!(
        traced_in("from flock import Agent\nclass Mine(Agent):\n    def done(self):\n        return (1,\n"),
        ["Mine.done"]
    );
}

#[test]
fn carriage_returns_and_names_beyond_ascii_keep_their_bytes() {
    let text = "from flock import Agent\r\nclass Größe(Agent):\r\n    \"\"\"🦆\"\"\"\r\n    def 長さ(self):\r\n        return \"🦆\"\r\n";
    let mut workspace = Workspace::new("/project".as_ref());
    workspace.update("/project/a.py".as_ref(), text);
    let functions = workspace.functions("/project/a.py".as_ref());
    let [function] = &*functions else {
        panic!("one function, not {functions:?}")
    };
    assert_eq!(function.qualified_name, "Größe.長さ");
    let range = &function.definition.name_range;
    assert_eq!(&text[range.start as usize..range.end as usize], "長さ");
    assert_eq!(function.definition.line, 3);
    assert!(function.traced.is_some());
}

#[test]
fn open_telemetry_names_stand_at_the_function_that_they_belong_to() {
    let text = "@tracer.start_as_current_span(\"whole\")\ndef a(): ...\nasync def b():\n    with tracer.start_as_current_span(name='inside'), tracer.start_as_current_span(f\"step_{n}\"):\n        pass\n    span = tracer.start_span('made', kind=1)\n    tracer.start_span(variable)\n";
    let project = Project::without_flock(&[("app.py", text)]);
    let workspace = project.workspace();
    let path = project.path("app.py");
    let functions = workspace.functions(&path);
    assert_eq!(functions[0].traced, Some(Traced::Span("whole".to_owned())));
    let inside = ["inside", "step_{}", "made"].map(ToOwned::to_owned).to_vec();
    assert_eq!(functions[1].traced, Some(Traced::Inside(inside)));
    let lines: Vec<u32> = workspace.literals(&path).iter().map(|literal| literal.line).collect();
    assert_eq!(lines, [0, 3, 3, 5]);
    let range = &workspace.literals(&path)[1].range;
    assert_eq!(&text[range.start as usize..range.end as usize], "'inside'");
}
