//! The table as documentation.

use flockscope_configuration::{Configuration, PROGRAM_VARIABLES, markdown, sample_file, settings};

use crate::Project;

#[test]
fn the_page_has_every_name_and_whole_rows() {
    let page = markdown();
    for setting in settings() {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{}`<br>", setting.key)))
            .expect(setting.key);
        assert!(row.contains(&format!("`{}`", setting.variable)), "{row}");
        assert!(row.contains(&setting.allowed()), "{row}");
        assert!(
            setting.flag.is_none_or(|flag| row.contains(&format!("`--{flag}`"))),
            "{row}"
        );
        assert!(
            setting
                .alias
                .is_none_or(|alias| row.contains(&format!("`{}`", alias.variable))),
            "{row}"
        );
    }
    for variable in PROGRAM_VARIABLES {
        assert!(page.contains(&format!("| `{}` |", variable.name)));
    }
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    for line in page.lines().filter(|line| line.starts_with('|')) {
        assert!([4, 5].contains(&columns(line)), "{line}");
    }
    let sections = page.lines().filter(|line| line.starts_with("## `[")).count();
    assert_eq!(sections, 12);
}

#[test]
fn the_sample_says_nothing_until_it_is_uncommented() {
    let loaded = Project::new().toml(&sample_file()).loaded();
    assert_eq!(loaded.configuration, Configuration::default());
    assert!(loaded.warnings.is_empty());
}

#[test]
fn each_line_of_the_sample_is_a_setting() {
    let sample = sample_file();
    let is_setting = |line: &str| {
        let name = line.strip_prefix("# ").and_then(|line| line.split_once(" = "));
        name.is_some_and(|(name, _)| !name.contains(' '))
    };
    let uncommented = sample
        .lines()
        .map(|line| if is_setting(line) { &line[2..] } else { line });
    let toml = uncommented.collect::<Vec<_>>().join("\n");
    let settings_of_file = sample.lines().filter(|line| is_setting(line)).count();
    assert_eq!(
        settings_of_file,
        settings().iter().filter(|setting| !setting.is_secret()).count()
    );

    // All that is wrong with it: what the examples name is not there.
    let problems = Project::new().toml(&toml).problems();
    for problem in &problems {
        assert!(
            problem.contains("there is none") || problem.contains("can't be set together"),
            "{problem}"
        );
    }
    assert_eq!(problems.len(), 5, "{problems:#?}");
    assert!(sample.lines().all(|line| line.chars().count() <= 140));
}

#[test]
fn the_page_in_docs_has_the_table_as_it_is() {
    let page = include_str!("../../../../docs/configuration.md");
    assert!(
        page.ends_with(&markdown()),
        "put what `cargo run -p flockscope-configuration --example reference` prints behind the introduction of \
         docs/configuration.md"
    );
}
