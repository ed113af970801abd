//! The table of settings, for people.

use std::fmt::Write;

use crate::value::Value;
use crate::{Kind, PROGRAM_VARIABLES, Reading, Setting, settings};

/// The table as Markdown: a heading and a table for each section, then the variables of the Flock program.
pub fn markdown() -> String {
    let mut page = String::new();
    let mut section = "";
    for setting in settings() {
        if setting.section() != section {
            section = setting.section();
            // Writing to a string can't fail.
            let _ = write!(
                page,
                "## `[{section}]`\n\n| Setting | Default | Allowed | Meaning |\n|---|---|---|---|\n"
            );
        }
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            names(setting),
            if setting.default.is_empty() {
                String::new()
            } else {
                format!("`{}`", setting.default)
            },
            cell(&setting.allowed()),
            cell(&meaning(setting))
        );
        if is_last(setting) {
            page.push('\n');
        }
    }
    page.push_str(
        "## Variables of the Flock program\n\nFlock reads these; Flockscope shows them.\n\n\
         | Variable | Default | Meaning |\n|---|---|---|\n",
    );
    for variable in PROGRAM_VARIABLES {
        let default = if variable.default.is_empty() {
            String::new()
        } else {
            format!("`{}`", variable.default)
        };
        let _ = writeln!(
            page,
            "| `{}` | {default} | {} |",
            variable.name,
            cell(variable.description)
        );
    }
    page
}

fn is_last(setting: &Setting) -> bool {
    let last = settings().iter().rfind(|other| other.section() == setting.section());
    last.is_some_and(|last| last.key == setting.key)
}

fn names(setting: &Setting) -> String {
    let mut names = format!("`{}`<br>`{}`", setting.key, setting.variable);
    if let Some(alias) = setting.alias {
        let _ = write!(names, "<br>`{}`", alias.variable);
    }
    if let Some(flag) = setting.flag {
        let _ = write!(names, "<br>`--{flag}`");
    }
    names
}

fn meaning(setting: &Setting) -> String {
    let mut meaning = setting.description.to_owned();
    match setting.alias {
        Some(alias) if alias.reading == Reading::Megabytes => {
            let _ = write!(meaning, " `{}` is a number of megabytes.", alias.variable);
        }
        Some(alias) => {
            let _ = write!(
                meaning,
                " A value of `{}` that does not fit is left alone.",
                alias.variable
            );
        }
        None => {}
    }
    if setting.is_secret() {
        meaning.push_str(" Secret: it is never shown.");
    }
    if !setting.needs_restart {
        meaning.push_str(" Counts at once.");
    }
    meaning
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A `flockscope.toml` in which every setting is explained and commented out.
pub fn sample_file() -> String {
    let mut file = "# Settings of Flockscope for this project. Each can also be given by its variable, in the \
                    environment or in .env,\n# and by its flag; a flag counts more than a variable, that more than \
                    this file.\n"
        .to_owned();
    let mut section = "";
    for setting in settings() {
        if setting.section() != section {
            section = setting.section();
            let _ = write!(file, "\n[{section}]\n");
        }
        file.push('\n');
        let allowed = format!("Allowed: {}.", setting.allowed());
        comment(
            &mut file,
            &format!("{} {allowed}", setting.description.replace('`', "")),
        );
        if setting.is_secret() {
            comment(
                &mut file,
                &format!("Set {} in .env or in the environment.", setting.variable),
            );
            continue;
        }
        let shown = if setting.default.is_empty() {
            setting.example
        } else {
            setting.default
        };
        let _ = writeln!(file, "# {} = {}", setting.name(), toml_value(setting, shown));
    }
    file
}

/// Adds a text as lines of a comment.
fn comment(file: &mut String, text: &str) {
    const WIDTH: usize = 100;
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + word.len() >= WIDTH {
            file.push_str(&line);
            file.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    file.push_str(&line);
    file.push('\n');
}

/// A value as TOML has it; a text that is no value stays a text.
pub(crate) fn toml_value(setting: &Setting, text: &str) -> toml_edit::Value {
    match (setting.kind, setting.read(text)) {
        (_, Ok(Value::Boolean(yes))) => yes.into(),
        (_, Ok(Value::List(items))) => items.into_iter().collect(),
        (Kind::Integer { .. } | Kind::Days, Ok(Value::Number(number))) if let Ok(number) = i64::try_from(number) => {
            number.into()
        }
        _ => text.trim().into(),
    }
}
