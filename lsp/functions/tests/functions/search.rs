//! Functions by letters of their names.

use std::path::Path;

use flockscope_functions::Workspace;
use proptest::prelude::*;

use crate::project::{Project, place};

fn found(workspace: &Workspace, query: &str, most: usize) -> Vec<String> {
    let functions = workspace.named(query, most).into_iter();
    functions.map(|function| place(workspace, function.id)).collect()
}

#[test]
fn letters_in_their_order_find_a_function_and_the_best_comes_first() {
    let project = Project::helpdesk();
    let workspace = project.workspace();
    assert_eq!(
        found(&workspace, "RiskEngine.score", 10),
        ["helpdesk/engines.py RiskEngine.score"]
    );
    assert_eq!(
        found(&workspace, "riskscore", 1),
        ["helpdesk/engines.py RiskEngine.score"]
    );
    assert_eq!(
        found(&workspace, " Risk Score ", 1),
        ["helpdesk/engines.py RiskEngine.score"]
    );
    assert_eq!(
        found(&workspace, "zerocs", 10),
        Vec::<String>::new(),
        "the other way round"
    );
    assert_eq!(found(&workspace, "riskscore", 0), Vec::<String>::new());
}

#[test]
fn a_name_that_is_meant_whole_comes_before_those_that_hold_it() {
    let project = Project::without_flock(&[
        (
            "a.py",
            "def prerun(): ...\ndef run_all(): ...\ndef r_u_n(): ...\nclass C:\n    def run(self): ...\n",
        ),
        ("b.rs", "impl Job { fn run_me(&self) {} }\nfn run() {}\n"),
        ("c.py", "def run(): ...\n"),
    ]);
    let workspace = project.workspace();
    assert_eq!(
        found(&workspace, "run", 10)[..3],
        ["b.rs run", "c.py run", "a.py run_all"],
        "of equal ones by path"
    );
    assert_eq!(found(&workspace, "RUN", 10).len(), 7);
    assert_eq!(found(&workspace, "job::run", 10), ["b.rs Job.run_me"]);
    assert_eq!(found(&workspace, "", 100).len(), 7, "no letters fit every function");
    assert_eq!(found(&workspace, "run", 2).len(), 2);
}

#[test]
fn installed_packages_are_searched_if_nothing_else_fits() {
    let project = Project::new(&[("a.py", "def on_initialize_all(): ...\n")]);
    let workspace = project.workspace();
    assert_eq!(found(&workspace, "on_initialize", 10), ["a.py on_initialize_all"]);
    let of_flock = found(&workspace, "AgentComponent.on_initialize", 10);
    assert_eq!(of_flock, ["flock/components.py AgentComponent.on_initialize"]);
}

/// Whether a name holds letters in their order, worked out the plain way.
fn holds(name: &str, query: &str) -> bool {
    let lower = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let mut letters = lower(name).into_iter();
    lower(query)
        .into_iter()
        .all(|wanted| letters.any(|letter| letter == wanted))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn exactly_the_functions_that_hold_the_letters_are_found(
        names in prop::collection::vec("[a-c_A-C]{1,90}|[a-cäßé]{1,40}", 1..6), query in "[a-cA-C_.]{0,8}|[a-cäé]{1,3}",
    ) {
        let path = Path::new("/project/a.py");
        let mut workspace = Workspace::new(Path::new("/project"));
        let text: String = names.iter().map(|name| format!("def {name}(): ...\n")).collect();
        workspace.update(path, &text);
        let functions = workspace.functions(path);
        let mut expected: Vec<_> = functions
            .iter()
            .filter(|function| holds(&function.qualified_name, &query))
            .map(|function| function.id)
            .collect();
        let mut found: Vec<_> = workspace.named(&query, 100).iter().map(|function| function.id).collect();
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_query_is_taken(query in "\\PC{0,300}", most in 0..5_usize) {
        let path = Path::new("/project/a.py");
        let mut workspace = Workspace::new(Path::new("/project"));
        workspace.update(path, "def größe(): ...\nclass Ünï:\n    def ok(self): ...\n");
        prop_assert!(workspace.named(&query, most).len() <= most);
    }
}
