//! What a start shows before the traces were asked.

use serde_json::json;

use crate::client::Client;
use crate::project::Project;

const ENGINES: &str = "helpdesk/engines.py";

#[test]
fn the_figures_of_last_time_are_shown_until_the_traces_were_asked() {
    let project = Project::with_sample();
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    client.open(&file, "python", &text);
    let seen = client.lens_when(&file, |lenses| lenses.iter().any(|(_, title)| title.starts_with('✗')));
    // They are kept by another thread, soon after they came.
    let kept = project.cache().join("flockscope/figures");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !std::fs::read_dir(&kept).is_ok_and(|mut files| files.next().is_some()) {
        assert!(std::time::Instant::now() < deadline, "nothing in {}", kept.display());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(client.end(), Some(0));
    // No process keeps the traces now, and with these settings none can start.
    assert!(
        project
            .command()
            .args(["stop"])
            .output()
            .expect("it runs")
            .status
            .success()
    );
    let mut command = project.command();
    command.env("FLOCKSCOPE_API_ADDRESS", "nowhere");
    let mut client = Client::start(command, &project.path(""), &json!({}));
    client.open(&file, "python", &text);
    let again = client.lens_when(&file, |lenses| lenses.len() == seen.len());
    let calls = |lenses: &[(u64, String)]| -> Vec<String> {
        let part = |title: &str| {
            title
                .split(" · ")
                .filter(|part| part.contains("calls"))
                .collect::<String>()
        };
        lenses.iter().map(|(_, title)| part(title)).collect()
    };
    assert_eq!(calls(&again), calls(&seen));
    let is_said = |message: &serde_json::Value| {
        message["params"]["message"]
            .as_str()
            .is_some_and(|words| words.contains("nowhere"))
    };
    while !is_said(&client.wait_for("window/logMessage")) {}
    assert_eq!(client.end(), Some(0));
}
