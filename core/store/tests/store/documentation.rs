use std::time::Duration;

use flockscope_store::{Limits, SPAN_COLUMNS, Settings, Store};

use crate::sample;

fn column_types(store: &Store, query: &str) -> Vec<(String, String)> {
    let answer = store.sql(
        &format!("SELECT column_name, column_type FROM (DESCRIBE {query})"),
        &Limits::default(),
    );
    let answer = answer.unwrap_or_else(|error| panic!("{query}: {error}"));
    let text = |column: usize| -> Vec<String> {
        let column = answer.batches.iter().map(|batch| batch.column(column).clone());
        column
            .flat_map(|array| {
                let array =
                    flockscope_store::arrow::compute::cast(&array, &flockscope_store::arrow::datatypes::DataType::Utf8)
                        .expect("text");
                let array = array
                    .as_any()
                    .downcast_ref::<flockscope_store::arrow::array::StringArray>()
                    .expect("text")
                    .clone();
                array
                    .iter()
                    .map(|value| value.unwrap_or_default().to_owned())
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    text(0).into_iter().zip(text(1)).collect()
}

#[test]
fn every_analysis_answers_with_the_columns_that_it_documents() {
    let store = Store::in_memory(Settings::default()).expect("a store");
    for analysis in flockscope_analytics::all() {
        let arguments: Vec<&str> = match analysis.name {
            "timeline" => vec!["'x'"],
            "attribute_values" => vec!["'agent.name'"],
            _ => vec![],
        };
        let found = column_types(&store, &format!("FROM {}({})", analysis.name, arguments.join(", ")));
        let documented: Vec<(String, String)> = analysis
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.data_type.clone()))
            .collect();
        assert_eq!(found, documented, "{}", analysis.name);
    }
}

#[test]
fn every_documented_parameter_can_be_named() {
    let store = sample::store_of(&[sample::span("a", None, "Agent.execute", 0, 5)]);
    for analysis in flockscope_analytics::all() {
        let optional = analysis
            .parameters
            .iter()
            .filter(|parameter| parameter.meaning.contains("default"));
        for parameter in optional {
            let required = match analysis.name {
                "attribute_values" => "'agent.name', ",
                _ => "",
            };
            let query = format!("FROM {}({required}{} := NULL)", analysis.name, parameter.name);
            // NULL is no group and no level: those two say so.
            let answer = store.sql(&query, &Limits::default());
            match parameter.name.as_str() {
                "group_by" | "level" => assert!(answer.is_err() || answer.is_ok_and(|a| a.row_count() == 0), "{query}"),
                _ => assert!(answer.is_ok(), "{query}: {answer:?}"),
            }
        }
    }
}

#[test]
fn the_relation_spans_has_every_flock_column_under_its_name_and_type() {
    let store = Store::in_memory(Settings::default()).expect("a store");
    let found = column_types(&store, "FROM spans");
    let known: Vec<(String, String)> = SPAN_COLUMNS
        .iter()
        .map(|(n, t)| (n.to_string(), t.to_string()))
        .collect();
    assert_eq!(found, known);
    let flock = "trace_id VARCHAR, span_id VARCHAR, parent_id VARCHAR, name VARCHAR, service VARCHAR, operation VARCHAR, \
                 kind VARCHAR, start_time BIGINT, end_time BIGINT, duration_ms DOUBLE, status_code VARCHAR, \
                 status_description VARCHAR, attributes JSON, events JSON, links JSON, resource JSON, created_at TIMESTAMP";
    for column in flock.split(", ") {
        let (name, data_type) = column.split_once(' ').expect("name and type");
        assert!(found.contains(&(name.into(), data_type.into())), "{column}");
    }
    assert!(Limits::default().time == Duration::from_secs(30) && Limits::default().rows == 10_000);
}

/// SQL completion knows the columns without a store, and so has a list of its own.
#[test]
fn completion_knows_the_columns_of_spans_and_every_analysis() {
    let catalog = flockscope_sql::Catalog::builtin();
    let spans = catalog.relation("spans").expect("the view");
    let columns = spans
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.data_type.as_str()));
    assert_eq!(columns.collect::<Vec<_>>(), SPAN_COLUMNS.to_vec());
    let macros: Vec<&str> = catalog.macros.iter().map(|found| found.name.as_str()).collect();
    for analysis in flockscope_analytics::all() {
        assert!(
            macros.contains(&analysis.name),
            "{} is not among {macros:?}",
            analysis.name
        );
    }
}
