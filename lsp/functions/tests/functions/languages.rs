//! The languages beside Python: definitions, and names of spans where they are written.

use flockscope_functions::{Language, Traced, Workspace};
use std::path::Path;

/// Functions of a text as `Class.name`, with `= span` if every call is one and `+ span` for those made inside.
fn functions(path: &str, text: &str) -> Vec<String> {
    let mut workspace = Workspace::new(Path::new("/project"));
    let path = Path::new("/project").join(path);
    workspace.update(&path, text);
    let shown = workspace.functions(&path).into_iter().map(|function| {
        let range = &function.definition.name_range;
        assert!(text[range.start as usize..range.end as usize].contains(&*function.definition.name));
        match function.traced {
            Some(Traced::Span(span)) => format!("{} = {span}", function.qualified_name),
            Some(Traced::Inside(spans)) => format!("{} + {}", function.qualified_name, spans.join(", ")),
            _ => function.qualified_name,
        }
    });
    shown.collect()
}

#[test]
fn rust_instrument_and_span_macros() {
    let text = r#"
struct S;
/// Documented.
#[instrument]
async fn plain() {}
#[inline]
#[tracing::instrument(skip(self, a), name = "renamed", fields(x = 1))]
fn named() {}
#[instrument(level = "debug", skip_all)]
#[derive(X)]
struct NotAFunction;
fn untraced() {
    let span = tracing::info_span!("inner", x = 1);
    let other = span!(target: "t", Level::INFO, "second").entered();
    let third = tracer.start("third");
    println!("not a span");
}
impl<T> fmt::Debug for Wrapper<T> {
    #[instrument(err)]
    fn fmt(&self) {}
}
impl Wrapper<u8> { fn get(&self) {} }
trait Doing { fn must(&self); fn can(&self) {} }
"#;
    let expected = [
        "plain = plain",
        "named = renamed",
        "untraced + inner, second, third",
        "Wrapper.fmt = fmt",
        "Wrapper.get",
        "Doing.can",
    ];
    assert_eq!(functions("a.rs", text), expected);
}

#[test]
fn typescript_and_javascript_functions_in_all_their_forms() {
    let text = r"
function a() { return tracer.startActiveSpan('active', (span) => { span.end(); }); }
const b = async () => { tracer.startSpan(`GET ${path}`); };
export class C<T> {
  private field = (x: number) => x;
  @Span('decorated') method(): void {}
  @Span() other() {}
  @Input() value = 1;
  plain() { Sentry.startSpan({ op: 'x', name: 'sentry' }, () => {}); }
}
const o = { p: function () {}, q() {} };
module.exports.r = () => 1;
";
    let expected = [
        "a + active",
        "b + GET {}",
        "C.field",
        "C.method = decorated",
        "C.other = other",
        "C.plain + sentry",
        "p",
        "q",
        "r",
    ];
    assert_eq!(functions("a.ts", text), expected);
    assert_eq!(
        functions(
            "a.tsx",
            "const View = () => <div onClick={() => go()}>{tracer.startSpan('x')}</div>;\n"
        ),
        ["View + x"]
    );
    assert_eq!(
        functions("a.mjs", "export default class { m() {} }\nfunction* g() {}\n"),
        ["m", "g"]
    );
}

#[test]
fn go_methods_belong_to_their_receiver() {
    let text = "package main\nfunc run(ctx context.Context) {\n\tctx, span := otel.Tracer(\"lib\").Start(ctx, \"run it\")\n\tdefer span.End()\n}\nfunc (c *Client[T]) Do(ctx context.Context) error {\n\t_, s := c.tracer.Start(ctx, `do`)\n\tserver.Start(ctx, \"not a span\")\n\treturn nil\n}\n";
    assert_eq!(functions("a.go", text), ["run + run it", "Client.Do + do"]);
}

#[test]
fn java_with_span_and_span_builder() {
    let text = "class Shop {\n  @Override @WithSpan(\"buy it\") public void buy() {}\n  @WithSpan void sell(@SpanAttribute int n) {}\n  @WithSpan(value = \"v\", kind = CLIENT) void v() {}\n  void plain() { Span s = tracer.spanBuilder(\"built\").startSpan(); }\n  static class Inner { Inner() {} }\n}\n";
    assert_eq!(
        functions("Shop.java", text),
        [
            "Shop.buy = buy it",
            "Shop.sell = Shop.sell",
            "Shop.v = v",
            "Shop.plain + built",
            "Shop.Inner.Inner"
        ]
    );
}

#[test]
fn comments_do_not_count_for_the_hash_in_any_language() {
    for (path, one, same, other) in [
        (
            "a.rs",
            "fn f() { g(1) }",
            "fn f() {\n // x\n /* y */ /// z\n g(1) }",
            "fn f() { g(2) }",
        ),
        (
            "a.ts",
            "function f() { g(1) }",
            "function f() {\n // x\n g(1) /* y */ }",
            "function f() { g(2) }",
        ),
        (
            "a.go",
            "func f() { g(1) }",
            "func f() { /* x */ g(1) }",
            "func f() { g(2) }",
        ),
        (
            "A.java",
            "class A { int f() { return 1; } }",
            "class A { int f() { // x\n return 1; } }",
            "class A { int f() { return 2; } }",
        ),
    ] {
        let body = |text: &str| {
            let mut workspace = Workspace::new(Path::new("/project"));
            let path = Path::new("/project").join(path);
            workspace.update(&path, text);
            workspace.functions(&path)[0].definition.body
        };
        assert_eq!(body(one), body(same), "{path}");
        assert_ne!(body(one), body(other), "{path}");
    }
}

#[test]
fn every_language_has_a_file_ending() {
    let endings = ["a.py", "a.rs", "a.ts", "a.js", "a.go", "a.java"];
    assert_eq!(
        endings.map(|path| Language::of_path(Path::new(path))),
        Language::ALL.map(Some)
    );
    assert_eq!(Language::of_path(Path::new("a.pyc")), None);
}
