//! The help desk and its real traces. `tests/data/observed.json` says whose each operation is as Python itself sees it;
//! `tests/data/observed.py` made it.

use std::collections::BTreeSet;
use std::fs;

use flockscope_functions::{Matches, Observed, Traced, Workspace};
use serde::Deserialize;

use crate::project::{Project, data, place, whose};

#[derive(Deserialize)]
struct Expected {
    operations: Vec<Operation>,
    traced: Vec<Owner>,
}

#[derive(Deserialize)]
struct Operation {
    #[serde(flatten)]
    observed: Observed,
    expected: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    path: String,
    function: String,
}

fn expected() -> Expected {
    let text = fs::read_to_string(data("observed.json")).expect("the file");
    serde_json::from_str(&text).expect("its form")
}

/// All operations of the sample, and whose they are.
fn matched(workspace: &Workspace) -> (Vec<Observed>, Matches) {
    let operations = expected().operations.into_iter();
    let observed: Vec<Observed> = operations.map(|operation| operation.observed).collect();
    let matches = workspace.match_operations(&observed);
    (observed, matches)
}

#[test]
fn every_operation_of_the_sample_is_the_functions_that_python_says() {
    let project = Project::helpdesk();
    let workspace = project.workspace();
    let (_, matches) = matched(&workspace);
    let operations = expected().operations;
    let mut resolved = 0;
    for operation in operations
        .iter()
        .filter(|operation| operation.observed.module.is_some())
    {
        let owners = operation
            .expected
            .iter()
            .map(|owner| format!("exact {} {}", owner.path, owner.function));
        let owners: Vec<String> = owners.collect();
        assert_eq!(
            whose(&workspace, &matches, operation.observed.id),
            owners,
            "{}",
            operation.observed.name
        );
        resolved += 1;
    }
    assert_eq!(resolved, 100);
}

#[test]
fn names_that_the_program_writes_are_found_where_they_are_written() {
    let project = Project::helpdesk();
    let workspace = project.workspace();
    let (observed, matches) = matched(&workspace);
    let named = |name: &str| {
        observed
            .iter()
            .find(|observed| observed.name == name)
            .expect("an operation")
            .id
    };
    for name in ["bulk_workflow", "ticket_workflow_1", "ticket_workflow_3"] {
        assert_eq!(
            whose(&workspace, &matches, named(name)),
            ["inferred helpdesk/app.py main"],
            "{name}"
        );
    }
    assert_eq!(
        whose(&workspace, &matches, named("UnhandledException")),
        Vec::<String>::new()
    );
}

#[test]
fn traced_are_the_functions_that_python_finds_wrapped() {
    let project = Project::helpdesk();
    let workspace = project.workspace();
    let expected: BTreeSet<String> = expected()
        .traced
        .iter()
        .map(|owner| format!("{} {}", owner.path, owner.function))
        .collect();
    let mut found = BTreeSet::new();
    for path in ["helpdesk/app.py", "helpdesk/engines.py", "helpdesk/models.py"] {
        for function in workspace.functions(&project.path(path)) {
            if function.traced.as_ref().is_some_and(Traced::is_whole) {
                found.insert(place(&workspace, function.id));
            }
        }
    }
    assert_eq!(found, expected);
}

#[test]
fn a_base_class_gathers_the_operations_of_every_subclass() {
    let project = Project::helpdesk();
    let workspace = project.workspace();
    let (observed, matches) = matched(&workspace);
    let components = project.path(".venv/lib/python3.11/site-packages/flock/components.py");
    let functions = workspace.functions(&components);
    let method = functions
        .iter()
        .find(|function| function.qualified_name == "AgentComponent.on_initialize");
    let matched = matches.of(method.expect("the method").id);
    let of_name = |id| {
        observed
            .iter()
            .find(|observed| observed.id == id)
            .expect("an operation")
            .service
            .as_str()
    };
    let classes: BTreeSet<&str> = matched.iter().map(|matched| of_name(matched.observed)).collect();
    let expected = BTreeSet::from([
        "AuditUtility",
        "DigestEngine",
        "DraftEngine",
        "IntakeEngine",
        "MetricsUtility",
        "OutputUtilityComponent",
        "PolishEngine",
        "ResearchEngine",
        "RiskEngine",
    ]);
    assert_eq!(classes, expected);
}
