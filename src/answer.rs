//! The answer to a user's SQL as JSON.

use std::sync::Arc;

use arrow_json::writer::LineDelimited;
use arrow_json::{LineDelimitedWriter, WriterBuilder};
use flockscope_client::{column_names, column_texts};
use flockscope_store::Answer;
use flockscope_store::arrow::array::{ArrayRef, RecordBatch, StringArray};
use flockscope_store::arrow::datatypes::{Field, Schema};
use flockscope_store::arrow::error::ArrowError;

/// One array of objects, an object a line.
pub(crate) fn json(answer: &Answer) -> Result<String, ArrowError> {
    let names = column_names(answer);
    let mut lines = Vec::new();
    let mut writer: LineDelimitedWriter<_> = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(&mut lines);
    for batch in &answer.batches {
        let columns = batch.columns().iter().map(json_column).collect::<Result<Vec<_>, _>>()?;
        let fields = names
            .iter()
            .zip(&columns)
            .map(|(name, column)| Field::new(name, column.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        writer.write(&RecordBatch::try_new(schema, columns)?)?;
    }
    writer.finish()?;
    drop(writer);
    let lines = String::from_utf8(lines).map_err(|error| ArrowError::JsonError(error.to_string()))?;
    let objects: Vec<&str> = lines.lines().collect();
    Ok(if objects.is_empty() {
        "[]\n".into()
    } else {
        format!("[\n  {}\n]\n", objects.join(",\n  "))
    })
}

/// The column, or its values as text where JSON has no form for its type (intervals, maps by number, unions).
fn json_column(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let probe = RecordBatch::try_from_iter([("probe", column.slice(0, column.len().min(1)))])?;
    let mut writer = LineDelimitedWriter::new(Vec::new());
    if writer.write(&probe).and_then(|()| writer.finish()).is_ok() {
        return Ok(column.clone());
    }
    Ok(Arc::new(StringArray::from(column_texts(column)?)))
}
