//! Record batches of any query as JSON and CSV, row by row.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use flockscope_store::arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use flockscope_store::arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use flockscope_store::arrow::error::ArrowError;

/// How rows are written as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowForm {
    /// `[1, "a"]`
    Array,
    /// `{"x": 1, "y": "a"}`; of several columns with one name the last.
    Object,
}

/// Writes the rows of a batch as JSON, with a comma before each but the very first.
pub(crate) fn write_json(batch: &RecordBatch, form: RowForm, first: &mut bool, out: &mut impl Write) -> io::Result<()> {
    let options = EncoderOptions::default();
    let schema = batch.schema();
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| json_column(column, field, &options))
        .collect::<Result<Vec<(FieldRef, ArrayRef)>, _>>()
        .map_err(io::Error::other)?;
    let mut encoders = columns
        .iter()
        .map(|(field, column)| make_encoder(field, column, &options))
        .collect::<Result<Vec<NullableEncoder<'_>>, _>>()
        .map_err(io::Error::other)?;
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    let shown: Vec<usize> = (0..names.len())
        .filter(|at| form == RowForm::Array || !names.iter().skip(at + 1).any(|name| name == &names[*at]))
        .collect();
    let keys = names
        .iter()
        .map(|name| {
            serde_json::to_vec(name).map(|mut key| {
                key.push(b':');
                key
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let (open, close) = match form {
        RowForm::Array => (b'[', b']'),
        RowForm::Object => (b'{', b'}'),
    };
    let mut line = Vec::new();
    for row in 0..batch.num_rows() {
        line.clear();
        if !std::mem::take(first) {
            line.push(b',');
        }
        line.extend([b'\n', open]);
        for (place, at) in shown.iter().enumerate() {
            if place > 0 {
                line.push(b',');
            }
            if form == RowForm::Object {
                line.extend_from_slice(&keys[*at]);
            }
            let encoder = &mut encoders[*at];
            if encoder.is_null(row) {
                line.extend_from_slice(b"null");
            } else {
                encoder.encode(row, &mut line);
            }
        }
        line.push(close);
        out.write_all(&line)?;
    }
    Ok(())
}

/// The column, or its values as text where JSON has no form for its type (intervals, unions, …).
fn json_column(
    column: &ArrayRef,
    field: &FieldRef,
    options: &EncoderOptions,
) -> Result<(FieldRef, ArrayRef), ArrowError> {
    if make_encoder(field, column, options).is_ok() {
        return Ok((field.clone(), column.clone()));
    }
    let texts: ArrayRef = Arc::new(StringArray::from(texts(column)?));
    Ok((Arc::new(Field::new(field.name(), DataType::Utf8, true)), texts))
}

/// Writes the line of names of a CSV file (RFC 4180).
pub(crate) fn write_csv_head(schema: &Schema, out: &mut impl Write) -> io::Result<()> {
    write_lines(
        std::iter::once(schema.fields().iter().map(|field| Some(field.name().clone())).collect()),
        out,
    )
}

/// Writes the rows of a batch as lines of a CSV file. NULL is an empty field.
pub(crate) fn write_csv(batch: &RecordBatch, out: &mut impl Write) -> io::Result<()> {
    let columns = batch
        .columns()
        .iter()
        .map(texts)
        .collect::<Result<Vec<_>, _>>()
        .map_err(io::Error::other)?;
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    let lines = (0..batch.num_rows()).map(|_| columns.iter_mut().map(|column| column.next().flatten()).collect());
    write_lines(lines, out)
}

fn write_lines(lines: impl Iterator<Item = Vec<Option<String>>>, out: &mut impl Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(out);
    for line in lines {
        writer.write_record(line.iter().map(|field| field.as_deref().map(safe).unwrap_or_default()))?;
    }
    writer.flush()
}

/// A spreadsheet would run a field that begins so as a formula, and telemetry is text that strangers wrote: see
/// `core/render/src/csv.rs`, which does the same.
fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err() {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn texts(column: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    let options = FormatOptions::default().with_display_error(true);
    let formatter = ArrayFormatter::try_new(column, &options)?;
    (0..column.len())
        .map(|row| {
            if column.is_null(row) {
                Ok(None)
            } else {
                formatter.value(row).try_to_string().map(Some)
            }
        })
        .collect()
}

/// DuckDB's name of a column's type.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "NULL".into(),
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INTEGER".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::UInt8 => "UTINYINT".into(),
        DataType::UInt16 => "USMALLINT".into(),
        DataType::UInt32 => "UINTEGER".into(),
        DataType::UInt64 => "UBIGINT".into(),
        DataType::Float32 => "FLOAT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "BLOB".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Time64(_) => "TIME".into(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP".into(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE".into(),
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP_NS".into(),
        DataType::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP_MS".into(),
        DataType::Timestamp(TimeUnit::Second, None) => "TIMESTAMP_S".into(),
        DataType::Interval(_) => "INTERVAL".into(),
        // HUGEINT, and a DECIMAL of this width, look alike.
        DataType::Decimal128(width, scale) => format!("DECIMAL({width},{scale})"),
        DataType::Dictionary(_, _) => "ENUM".into(),
        DataType::List(item) | DataType::LargeList(item) => format!("{}[]", type_name(item.data_type())),
        DataType::FixedSizeList(item, length) => format!("{}[{length}]", type_name(item.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{} {}", field.name(), type_name(field.data_type())))
                .collect();
            format!("STRUCT({})", fields.join(", "))
        }
        DataType::Map(_, _) => "MAP".into(),
        other => other.to_string(),
    }
}
