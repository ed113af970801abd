//! What SQL completion knows of the store: attribute keys, frequent values, traces. Read from the newest spans, so that it
//! costs the same on a store of any size.

use std::collections::BTreeMap;

use flockscope_analytics::calls::{self, Call, Window};
use flockscope_client::{ClientError, Connection};
use flockscope_model::rows::FunctionRow;
use flockscope_sql::Catalog;
use flockscope_sql::catalog::{AttributeKey, Carrier, Contents, Operation, Profile, Trace, Value};
use flockscope_store::SPAN_COLUMNS;
use serde::Deserialize;

use crate::newest;

/// Newest spans whose keys are listed, and those whose values and carriers are.
pub(crate) const SPANS_FOR_KEYS: u32 = 20_000;
const SPANS_FOR_VALUES: u32 = 2_000;

/// Most values of a key or column, and the longest that is offered.
const MOST_VALUES: usize = 25;
const LONGEST_VALUE: usize = 60;

/// Newest traces that are offered.
const MOST_TRACES: u64 = 30;

/// Columns whose values are times, in nanoseconds.
const TIMES: [&str; 2] = ["start_time", "end_time"];

/// Columns whose values say nothing by themselves.
const IDS: [&str; 3] = ["trace_id", "span_id", "parent_id"];

/// The columns of `spans` that are no JSON, with their types.
fn typed_columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    SPAN_COLUMNS
        .iter()
        .copied()
        .filter(|(_, data_type)| *data_type != "JSON")
}

/// Those whose most frequent values are listed.
fn listed_columns() -> impl Iterator<Item = &'static str> {
    typed_columns()
        .filter(|(name, data_type)| {
            matches!(*data_type, "VARCHAR" | "INTEGER" | "BIGINT") && !TIMES.contains(name) && !IDS.contains(name)
        })
        .map(|(name, _)| name)
}

/// A key of a JSON column.
#[derive(Debug, Deserialize)]
struct KeyRow {
    place: String,
    key: String,
    spans: i64,
}

/// Who has a key, and of which type its values are.
#[derive(Debug, Deserialize)]
struct CarrierRow {
    place: String,
    key: String,
    json_type: String,
    service: String,
    operation: String,
    spans: i64,
}

/// A frequent value of a key, or of a column (then `key` is empty).
#[derive(Debug, Deserialize)]
struct ValueRow {
    place: String,
    key: String,
    text: String,
    spans: i64,
}

/// Share, number and range of the values of a column.
#[derive(Debug, Deserialize)]
struct ColumnRow {
    name: String,
    rows: i64,
    nulls: i64,
    distinct_values: i64,
    smallest: Option<String>,
    largest: Option<String>,
}

/// Asks the store. `functions` is the answer of the analysis of that name, which the caller has.
pub(crate) async fn read(connection: &Connection, functions: &[FunctionRow]) -> Result<Catalog, ClientError> {
    let keys = connection.ask(&keys_call()).await?;
    let carriers = connection.ask(&carriers_call()).await?;
    let values = connection.ask(&values_call()).await?;
    let columns = connection.ask(&columns_call()).await?;
    let column_values = connection.ask(&column_values_call()).await?;
    let traces = connection
        .ask(&calls::traces(Window::default(), Some(MOST_TRACES)))
        .await?;
    let mut contents: Contents = (*Catalog::builtin()).clone();
    contents.attribute_keys = attribute_keys(keys, carriers, values);
    for relation in &mut contents.relations {
        if relation.name == "spans" {
            for column in &mut relation.columns {
                column.profile = profile(&column.name, &columns, &column_values);
            }
        }
    }
    contents.operations = functions
        .iter()
        .map(|row| Operation {
            service: row.service.clone(),
            operation: row.operation.clone(),
            name: row.name.clone(),
            spans: row.calls.max(0).cast_unsigned(),
        })
        .collect();
    contents.traces = traces
        .into_iter()
        .map(|row| Trace {
            trace_id: row.trace_id,
            root_name: row.root_name,
            start_time: row.start_time,
            duration_ms: row.duration_ms,
        })
        .collect();
    Ok(Catalog::new(contents))
}

fn attribute_keys(keys: Vec<KeyRow>, carriers: Vec<CarrierRow>, values: Vec<ValueRow>) -> Vec<AttributeKey> {
    let most = keys.iter().map(|row| row.spans).max().unwrap_or(1).max(1);
    let mut found: BTreeMap<(String, String), AttributeKey> = BTreeMap::new();
    for row in keys {
        let key = AttributeKey {
            key: row.key.clone(),
            column: row.place.clone(),
            spans: row.spans.max(0).cast_unsigned(),
            share: row.spans as f64 / most as f64,
            ..AttributeKey::default()
        };
        found.insert((row.place, row.key), key);
    }
    let mut types: BTreeMap<(String, String), BTreeMap<String, i64>> = BTreeMap::new();
    for row in carriers {
        let place = (row.place, row.key);
        *types
            .entry(place.clone())
            .or_default()
            .entry(row.json_type)
            .or_default() += row.spans;
        let Some(key) = found.get_mut(&place) else { continue };
        let spans = row.spans.max(0).cast_unsigned();
        let same = |carrier: &&mut Carrier| carrier.service == row.service && carrier.operation == row.operation;
        match key.carriers.iter_mut().find(same) {
            Some(carrier) => carrier.spans += spans,
            None => key.carriers.push(Carrier {
                service: row.service,
                operation: row.operation,
                spans,
            }),
        }
    }
    for (place, types) in types {
        if let Some(key) = found.get_mut(&place)
            && let Some((name, _)) = types.into_iter().max_by_key(|(_, spans)| *spans)
        {
            key.json_type = name;
        }
    }
    for row in values {
        if let Some(key) = found.get_mut(&(row.place, row.key)) {
            key.values.push(Value {
                text: row.text,
                count: row.spans.max(0).cast_unsigned(),
            });
        }
    }
    found.into_values().collect()
}

fn profile(name: &str, columns: &[ColumnRow], values: &[ValueRow]) -> Option<Profile> {
    let column = columns.iter().find(|row| row.name == name)?;
    let values = values.iter().filter(|row| row.place == name);
    Some(Profile {
        rows: column.rows.max(0).cast_unsigned(),
        null_share: column.nulls as f64 / column.rows.max(1) as f64,
        distinct: column.distinct_values.max(0).cast_unsigned(),
        values: values
            .map(|row| Value {
                text: row.text.clone(),
                count: row.spans.max(0).cast_unsigned(),
            })
            .collect(),
        min: column.smallest.clone(),
        max: column.largest.clone(),
    })
}

/// The newest spans as a relation `newest` of these columns.
fn newest(columns: &str, most: u32) -> String {
    format!(
        "newest AS (SELECT {columns} FROM spans WHERE start_time >= {})",
        newest::start_of(most)
    )
}

fn keys_call() -> Call<KeyRow> {
    Call::own(format!(
        "WITH {}, found AS (
           SELECT 'attributes' AS place, unnest(json_keys(attributes)) AS key FROM newest
           UNION ALL SELECT 'resource', unnest(json_keys(resource)) FROM newest)
         SELECT place, key, count(*) AS spans FROM found GROUP BY ALL ORDER BY ALL LIMIT 20000",
        newest("attributes, resource", SPANS_FOR_KEYS)
    ))
}

const PAIRS: &str = "found AS (
   SELECT 'attributes' AS place, service, operation, e.key, e.type AS json_type, e.value->>'$' AS text
   FROM newest, json_each(attributes) e
   UNION ALL SELECT 'resource', service, operation, e.key, e.type, e.value->>'$' FROM newest, json_each(resource) e)";

fn carriers_call() -> Call<CarrierRow> {
    Call::own(format!(
        "WITH {}, {PAIRS}
         SELECT place, key, json_type, service, operation, count(*) AS spans FROM found GROUP BY ALL ORDER BY ALL
         LIMIT 50000",
        newest("service, operation, attributes, resource", SPANS_FOR_VALUES)
    ))
}

fn values_call() -> Call<ValueRow> {
    Call::own(format!(
        "WITH {}, {PAIRS}
         SELECT place, key, text, count(*) AS spans FROM found WHERE length(text) BETWEEN 1 AND {LONGEST_VALUE}
         GROUP BY place, key, text
         QUALIFY row_number() OVER (PARTITION BY place, key ORDER BY count(*) DESC, text) <= {MOST_VALUES}
         ORDER BY place, key, spans DESC, text",
        newest("service, operation, attributes, resource", SPANS_FOR_VALUES)
    ))
}

/// One pass over the spans, whatever the number of columns.
fn columns_call() -> Call<ColumnRow> {
    let parts: Vec<String> = typed_columns()
        .map(|(name, data_type)| {
            let bound = |which: &str| match data_type {
                "VARCHAR" => "NULL::VARCHAR".to_owned(),
                _ if TIMES.contains(&name) => format!(
                    "{which}({name}) || ' (' || strftime(make_timestamp_ns({which}({name})), '%Y-%m-%d %H:%M:%S') || ' UTC)'"
                ),
                "DOUBLE" => format!("round({which}({name}), 6)::VARCHAR"),
                _ => format!("{which}({name})::VARCHAR"),
            };
            format!(
                "{{'name': '{name}', 'rows': count(*), 'nulls': count(*) - count({name}),
                   'distinct_values': count(DISTINCT {name}), 'smallest': {}, 'largest': {}}}",
                bound("min"),
                bound("max")
            )
        })
        .collect();
    Call::own(format!(
        "WITH {}, found AS (SELECT unnest([{}]) AS c FROM newest)
         SELECT c.name AS name, c.rows AS rows, c.nulls AS nulls, c.distinct_values AS distinct_values,
           c.smallest AS smallest, c.largest AS largest FROM found",
        newest(&names(typed_columns().map(|(name, _)| name)), SPANS_FOR_KEYS),
        parts.join(", ")
    ))
}

fn column_values_call() -> Call<ValueRow> {
    let parts: Vec<String> = listed_columns()
        .map(|name| format!("{{'place': '{name}', 'text': {name}::VARCHAR}}"))
        .collect();
    Call::own(format!(
        "WITH {}, cells AS (SELECT unnest([{}]) AS c FROM newest),
         found AS (SELECT c.place AS place, c.text AS text FROM cells)
         SELECT place, '' AS key, text, count(*) AS spans FROM found WHERE length(text) BETWEEN 1 AND {LONGEST_VALUE}
         GROUP BY place, text
         QUALIFY row_number() OVER (PARTITION BY place ORDER BY count(*) DESC, text) <= {MOST_VALUES}
         ORDER BY place, spans DESC, text",
        newest(&names(listed_columns()), SPANS_FOR_KEYS),
        parts.join(", ")
    ))
}

fn names(columns: impl Iterator<Item = &'static str>) -> String {
    columns.collect::<Vec<_>>().join(", ")
}
