//! What hovers, hints and symbols say, against figures that are worked out otherwise.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, address, place};
use crate::project::Project;

const ENGINES: &str = "helpdesk/engines.py";

fn start(project: &Project) -> Client {
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    client.open(&project.path(ENGINES), "python", &project.text(ENGINES));
    client
}

/// The place of a method's name in a class of the program.
fn method(text: &str, class: &str, name: &str) -> (usize, usize) {
    let (line, _) = place(text, &format!("class {class}"));
    let below: String = text.lines().skip(line).map(|line| format!("{line}\n")).collect();
    let (down, column) = place(&below, &format!("def {name}("));
    (line + down, column + "def ".len())
}

/// The hover of a place, once it says this.
fn hover_with(client: &mut Client, project: &Project, at: (usize, usize), words: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let hover = client.hover(&project.path(ENGINES), at.0, at.1 + 1);
        if hover.contains(words) {
            return hover;
        }
        assert!(Instant::now() < deadline, "no {words:?}: {hover}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The number of milliseconds that the words behind a mark say.
fn milliseconds(text: &str, mark: &str) -> f64 {
    let rest = text.split(mark).nth(1).unwrap_or_else(|| panic!("no {mark:?}: {text}"));
    let mut words = rest.split(|c: char| c.is_whitespace() || c == ',');
    let number: f64 = words.next().and_then(|word| word.parse().ok()).expect("a number");
    match words.next() {
        Some("µs") => number / 1_000.0,
        Some("ms") => number,
        Some("s") => number * 1_000.0,
        // `4 min 5 s`
        Some("min") => number * 60_000.0 + words.next().and_then(|word| word.parse().ok()).unwrap_or(0.0) * 1_000.0,
        other => panic!("{other:?} is no unit: {text}"),
    }
}

fn number(rows: &[Value], column: &str) -> f64 {
    rows[0][column].as_f64().unwrap_or_else(|| panic!("{rows:?}"))
}

#[test]
fn a_hover_says_self_time_the_last_hour_and_what_the_latest_call_got() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let text = project.text(ENGINES);
    let at = method(&text, "ResearchEngine", "search");
    let hover = hover_with(&mut client, &project, at, "self time");
    // The timelines work self times out by another way.
    let rows = project.sql(
        "SELECT sum(self_ms) FILTER (name = 'ResearchEngine.search') AS own, sum(self_ms) AS every
         FROM span_trees(NULL, NULL, NULL)",
    );
    let (own, every) = (number(&rows, "own"), number(&rows, "every"));
    let said = milliseconds(&hover, "- self time: ");
    assert!((said - own).abs() < own * 0.01, "{said} is not {own}: {hover}");
    assert!(
        hover.contains(&format!("{:.1} % of that of all spans", own / every * 100.0)),
        "{} of {every}: {hover}",
        own / every
    );

    let hour = project.sql(
        "SELECT max(middle) AS middle, count(*) AS parts FROM (
           SELECT median(duration_ms) AS middle
           FROM (SELECT *, (SELECT max(start_time) FROM spans) AS latest FROM spans)
           WHERE name = 'ResearchEngine.search' AND start_time > latest - 3600000000000
           GROUP BY (latest - start_time) // 150000000000)",
    );
    let line = hover
        .split("- last hour: `")
        .nth(1)
        .expect("a line")
        .split('`')
        .next()
        .expect("its end");
    assert_eq!(line.chars().count(), 24, "{hover}");
    let shown = line.chars().filter(|cell| *cell != '·').count();
    assert_eq!(shown as f64, number(&hour, "parts"), "{hover}");
    let (said, middle) = (milliseconds(&hover, "median durations up to "), number(&hour, "middle"));
    assert!((said - middle).abs() < middle * 0.01, "{said} is not {middle}: {hover}");

    let last = project.sql(
        "SELECT attributes->>'input.attempt' AS attempt, attributes->>'input.text' AS text FROM spans
         WHERE name = 'ResearchEngine.search' ORDER BY start_time DESC LIMIT 1",
    );
    let attempt = last[0]["attempt"].as_str().expect("it was recorded");
    assert!(hover.contains(&format!("attempt `{attempt}`")), "{hover}");
    assert!(hover.contains("- last output: "), "{hover}");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn behind_a_call_stands_its_part_of_the_time() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let text = project.text(ENGINES);
    let at = method(&text, "ResearchEngine", "evaluate");
    hover_with(&mut client, &project, at, "- calls: ");
    let rows = project.sql(
        "SELECT sum(c.duration_ms) / (SELECT sum(duration_ms) FROM spans WHERE name = 'ResearchEngine.evaluate') AS share
         FROM spans c JOIN spans p ON p.trace_id = c.trace_id AND p.span_id = c.parent_id
         WHERE c.name = 'ResearchEngine.search' AND p.name = 'ResearchEngine.evaluate'",
    );
    let share = number(&rows, "share");
    assert!(share > 0.05, "{rows:?}");
    let lines = text.lines().count();
    let hints = client.ask(
        "textDocument/inlayHint",
        json!({"textDocument": {"uri": address(&project.path(ENGINES))},
               "range": {"start": {"line": 0, "character": 0}, "end": {"line": lines, "character": 0}}}),
    );
    let hints = hints.as_array().expect("hints");
    let of_search: Vec<_> = hints
        .iter()
        .filter(|hint| {
            let line = hint["position"]["line"].as_u64().expect("a line") as usize;
            text.lines().nth(line).is_some_and(|line| line.contains(".search("))
        })
        .collect();
    assert!(!of_search.is_empty(), "{hints:?}");
    for hint in of_search {
        let label = hint["label"].as_str().expect("a label");
        assert!(label.starts_with(&format!("{:.0} %", share * 100.0)), "{share}: {hint}");
        let tooltip = hint["tooltip"].as_str().expect("a tooltip");
        assert!(tooltip.contains("of the time of ResearchEngine.evaluate"), "{hint}");
    }
    assert_eq!(client.end(), Some(0));
}

#[test]
fn traced_functions_are_found_by_letters_of_their_names() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let text = project.text(ENGINES);
    hover_with(
        &mut client,
        &project,
        method(&text, "ResearchEngine", "search"),
        "calls",
    );
    let found = client.ask("workspace/symbol", json!({"query": "ressearch"}));
    let first = &found[0];
    assert_eq!(first["name"], "ResearchEngine.search", "{found}");
    let calls = project.sql("SELECT count(*) AS calls FROM spans WHERE name = 'ResearchEngine.search'");
    let calls = format!("{} calls", calls[0]["calls"]);
    assert!(
        first["containerName"]
            .as_str()
            .is_some_and(|words| words.starts_with(&calls)),
        "{first}"
    );
    assert_eq!(
        first["location"]["range"]["start"]["line"],
        method(&text, "ResearchEngine", "search").0
    );
    assert_eq!(client.ask("workspace/symbol", json!({"query": "xqzxqz"})), json!([]));
    let symbols = client.ask(
        "textDocument/documentSymbol",
        json!({"textDocument": {"uri": address(&project.path(ENGINES))}}),
    );
    let names: Vec<_> = symbols
        .as_array()
        .expect("symbols")
        .iter()
        .map(|symbol| &symbol["name"])
        .collect();
    assert!(names.contains(&&json!("ResearchEngine.search")), "{names:?}");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn sql_leads_to_the_code_that_it_names_and_back() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let text = project.text(ENGINES);
    let search = method(&text, "ResearchEngine", "search");
    hover_with(&mut client, &project, search, "calls");
    let query = "SELECT * FROM spans\nWHERE operation = 'search' AND service = 'ResearchEngine';\n";
    let file = project.path("mine.sql");
    std::fs::write(&file, query).expect("a file");
    client.open(&project.path("open.sql"), "sql", query);
    let mut definition = |needle: &str| {
        let (line, column) = place(query, needle);
        client.ask(
            "textDocument/definition",
            json!({"textDocument": {"uri": address(&project.path("open.sql"))},
                   "position": {"line": line, "character": column + 3}}),
        )
    };
    let function = definition("'search'");
    assert_eq!(function[0]["uri"], address(&project.path(ENGINES)), "{function}");
    assert_eq!(
        function[0]["range"]["start"],
        json!({"line": search.0, "character": search.1})
    );
    let class = definition("'ResearchEngine'");
    assert_eq!(
        class[0]["range"]["start"]["line"],
        place(&text, "class ResearchEngine").0,
        "{class}"
    );
    assert_eq!(definition("SELECT"), Value::Null);

    // In a string of Python too.
    let python = "rows = con.execute(\"SELECT 1 FROM spans WHERE operation = 'search'\")\n";
    client.open(&project.path("query.py"), "python", python);
    let place = client.ask(
        "textDocument/definition",
        json!({"textDocument": {"uri": address(&project.path("query.py"))},
               "position": {"line": 0, "character": python.find("search").expect("it") + 1}}),
    );
    assert_eq!(place[0]["uri"], address(&project.path(ENGINES)), "{place}");

    let references = client.ask(
        "textDocument/references",
        json!({"textDocument": {"uri": address(&project.path(ENGINES))}, "context": {"includeDeclaration": true},
               "position": {"line": search.0, "character": search.1 + 1}}),
    );
    let places: Vec<_> = references
        .as_array()
        .expect("places")
        .iter()
        .map(|place| &place["uri"])
        .collect();
    // One lies on the disk alone, the other one is open.
    assert_eq!(
        places,
        [&json!(address(&file)), &json!(address(&project.path("open.sql")))]
    );
    assert_eq!(
        references[0]["range"]["start"],
        json!({"line": 1, "character": 18}),
        "{references}"
    );
    assert_eq!(client.end(), Some(0));
}
