//! The call around the cursor.

use crate::support::{catalog, cursor};
use flockscope_sql::signature;

fn active(fixture: &str) -> Option<(String, Option<String>)> {
    let (text, offset) = cursor(fixture);
    let found = signature(catalog(), &text, offset)?;
    let parameter = found
        .active
        .map(|active| found.label[found.parameters[active].clone()].to_owned());
    Some((found.label, parameter))
}

#[test]
fn the_argument_that_is_written_is_the_active_one() {
    let (label, parameter) = active("SELECT quantile_cont(duration_ms, $0 FROM spans").expect("a call");
    assert!(label.starts_with("quantile_cont(x "), "{label}");
    assert!(parameter.is_some_and(|parameter| parameter.starts_with("quantile ")));
    let (label, parameter) = active("FROM red(step := 60, group_by := '$0')").expect("a call");
    assert!(
        label.starts_with("red(group_by VARCHAR := …, since BIGINT := …"),
        "{label}"
    );
    assert_eq!(parameter.as_deref(), Some("group_by VARCHAR := …"));
    let (_, parameter) = active("FROM timeline($0").expect("a call");
    assert_eq!(parameter.as_deref(), Some("trace VARCHAR"));
}

#[test]
fn nested_calls_brackets_and_queries_are_told_apart() {
    assert!(active("SELECT round(avg($0), 2)").is_some_and(|(label, _)| label.starts_with("avg(")));
    assert!(active("SELECT round(avg(1), $0)").is_some_and(|(label, _)| label.starts_with("round(")));
    assert!(active("SELECT round((1 + $0), 2)").is_some_and(|(label, _)| label.starts_with("round(")));
    assert!(active("SELECT coalesce([1, 2, $0], 2)").is_some_and(|(_, active)| active == Some("value ANY".into())));
    assert_eq!(active("SELECT (SELECT $0)"), None);
    assert_eq!(active("SELECT no_such_function($0)"), None);
    assert_eq!(active("SELECT lower('a')$0"), None);
    assert!(active("SELECT coalesce(1, 2, 3, $0").is_some_and(|(_, active)| active == Some("... ANY".into())));
}
