use std::sync::LazyLock;

/// One analysis: a DuckDB table macro and its documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// Name of the macro.
    pub name: &'static str,
    /// The first sentence of the documentation.
    pub summary: String,
    /// The rest of the documentation, paragraphs separated by empty lines.
    pub details: String,
    /// The macro's parameters in order.
    pub parameters: Vec<Parameter>,
    /// The columns of the answer in order.
    pub columns: Vec<Column>,
    /// The statement that creates the macro, comments included.
    pub definition: &'static str,
}

/// A parameter of an [`Analysis`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its DuckDB type.
    pub data_type: String,
    /// What it means, its unit and its default.
    pub meaning: String,
}

/// A column of an [`Analysis`]' answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its DuckDB type.
    pub data_type: String,
    /// What it means, and its unit.
    pub meaning: String,
}

macro_rules! sql {
    ($($name:literal from $file:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../sql/", $file, ".sql")))),*]
    };
}

/// Macros that analyses are built on. They come first, because a macro must exist before one that calls it.
const FOUNDATIONS: &[(&str, &str)] = sql! {
    "trace_bounds" from "internal/trace_bounds",
    "traces_reaching" from "internal/traces_reaching",
    "span_trees" from "internal/span_trees",
};

const ANALYSES: &[(&str, &str)] = sql! {
    "attribute_keys" from "attribute_keys",
    "attribute_values" from "attribute_values",
    "critical_path" from "critical_path",
    "dependencies" from "dependencies",
    "exceptions" from "exceptions",
    "functions" from "functions",
    "operations" from "operations",
    "red" from "red",
    "statistics" from "statistics",
    "timeline" from "timeline",
    "traces" from "traces",
};

/// Every analysis, by name.
pub fn all() -> &'static [Analysis] {
    static ALL: LazyLock<Vec<Analysis>> =
        LazyLock::new(|| ANALYSES.iter().map(|(name, file)| documented(name, file)).collect());
    &ALL
}

/// The analysis of this name.
pub fn find(name: &str) -> Option<&'static Analysis> {
    all().iter().find(|analysis| analysis.name == name)
}

/// The statements that create all macros, in the order in which they must run.
pub fn definitions() -> impl Iterator<Item = &'static str> {
    FOUNDATIONS.iter().chain(ANALYSES).map(|(_, file)| *file)
}

#[derive(PartialEq)]
enum Part {
    Summary,
    Details,
    Parameters,
    Columns,
}

/// Reads the head of a file: a summary, paragraphs, then `Parameters:` and `Columns:` with a line `name TYPE: meaning`
/// for each.
fn documented(name: &'static str, file: &'static str) -> Analysis {
    let mut analysis = Analysis {
        name,
        summary: String::new(),
        details: String::new(),
        parameters: Vec::new(),
        columns: Vec::new(),
        definition: file,
    };
    let mut part = Part::Summary;
    for line in file.lines().map_while(|line| line.strip_prefix("--")) {
        let text = line.trim();
        match (text, &part) {
            ("", Part::Summary) => part = Part::Details,
            ("Parameters:", _) => part = Part::Parameters,
            ("Columns:", _) => part = Part::Columns,
            (_, Part::Summary) => append(&mut analysis.summary, text),
            ("", Part::Details) => analysis.details.push_str("\n\n"),
            (_, Part::Details) => append(&mut analysis.details, text),
            ("", _) => {}
            (_, Part::Parameters) => {
                let (name, data_type, meaning) = entry(text);
                analysis.parameters.push(Parameter {
                    name,
                    data_type,
                    meaning,
                });
            }
            (_, Part::Columns) => {
                let (name, data_type, meaning) = entry(text);
                analysis.columns.push(Column {
                    name,
                    data_type,
                    meaning,
                });
            }
        }
    }
    analysis.details.truncate(analysis.details.trim_end().len());
    analysis
}

fn append(paragraph: &mut String, line: &str) {
    if !paragraph.is_empty() && !paragraph.ends_with('\n') {
        paragraph.push(' ');
    }
    paragraph.push_str(line);
}

fn entry(line: &str) -> (String, String, String) {
    let (declaration, meaning) = line.split_once(": ").unwrap_or((line, ""));
    let (name, data_type) = declaration.split_once(' ').unwrap_or((declaration, ""));
    (name.trim_matches('"').into(), data_type.into(), meaning.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_analysis_says_what_it_is_and_what_its_columns_are() {
        for analysis in all() {
            let name = analysis.name;
            assert!(
                analysis.summary.ends_with('.'),
                "{name}: summary {:?}",
                analysis.summary
            );
            assert!(!analysis.columns.is_empty(), "{name}: no columns");
            for (column, data_type, meaning) in analysis
                .columns
                .iter()
                .map(|column| (&column.name, &column.data_type, &column.meaning))
                .chain(analysis.parameters.iter().map(|p| (&p.name, &p.data_type, &p.meaning)))
            {
                assert!(
                    !data_type.is_empty() && !meaning.is_empty(),
                    "{name}: {column} is not documented"
                );
            }
            assert!(
                analysis
                    .definition
                    .contains(&format!("CREATE OR REPLACE MACRO {name}(")),
                "{name}: the file defines another macro"
            );
        }
    }

    #[test]
    fn the_head_of_a_file_is_its_documentation() {
        let red = find("red").expect("red exists");
        assert_eq!(red.summary, "Rate, errors and durations of groups of spans.");
        assert!(red.details.starts_with("Percentiles are exact"), "{}", red.details);
        assert_eq!(red.parameters[0].name, "group_by");
        let p95 = red
            .columns
            .iter()
            .find(|column| column.name == "p95_ms")
            .expect("p95_ms");
        assert_eq!(
            (p95.data_type.as_str(), p95.meaning.as_str()),
            ("DOUBLE", "95th percentile")
        );
        assert!(find("spans_of_everything").is_none());
    }
}
