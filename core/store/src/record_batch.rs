//! Spans as an Arrow record batch in the order of [`crate::SPAN_COLUMNS`].

use std::sync::{Arc, LazyLock};

use duckdb::arrow::array::{
    ArrayRef, Float64Builder, Int32Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use duckdb::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use flockscope_model::{Promoted, Span};

use crate::schema::SPAN_COLUMNS;

static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let field = |(name, data_type): &(&str, &str)| {
        let data_type = match *data_type {
            "BIGINT" => DataType::Int64,
            "INTEGER" => DataType::Int32,
            "DOUBLE" => DataType::Float64,
            "TIMESTAMP" => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => DataType::Utf8,
        };
        Field::new(*name, data_type, true)
    };
    Arc::new(Schema::new(SPAN_COLUMNS.iter().map(field).collect::<Vec<_>>()))
});

/// Collects columns of one type in the order in which they are pushed.
struct Columns {
    arrays: Vec<ArrayRef>,
}

impl Columns {
    fn text<'a>(&mut self, spans: &'a [Span], of: impl Fn(&'a Span) -> Option<&'a str>) {
        let mut builder = StringBuilder::new();
        for span in spans {
            builder.append_option(of(span));
        }
        self.arrays.push(Arc::new(builder.finish()));
    }

    fn promoted_text(&mut self, promoted: &[Promoted], of: impl Fn(&Promoted) -> &Option<String>) {
        let mut builder = StringBuilder::new();
        for columns in promoted {
            builder.append_option(of(columns).as_deref());
        }
        self.arrays.push(Arc::new(builder.finish()));
    }

    fn big_integer(&mut self, values: impl Iterator<Item = Option<i64>>) {
        let mut builder = Int64Builder::new();
        values.for_each(|value| builder.append_option(value));
        self.arrays.push(Arc::new(builder.finish()));
    }

    fn integer(&mut self, values: impl Iterator<Item = Option<i32>>) {
        let mut builder = Int32Builder::new();
        values.for_each(|value| builder.append_option(value));
        self.arrays.push(Arc::new(builder.finish()));
    }

    fn double(&mut self, values: impl Iterator<Item = Option<f64>>) {
        let mut builder = Float64Builder::new();
        values.for_each(|value| builder.append_option(value));
        self.arrays.push(Arc::new(builder.finish()));
    }
}

/// The spans as one record batch. `now` (microseconds since the epoch) is the creation time of spans that have none.
pub fn record_batch(spans: &[Span], now: i64) -> RecordBatch {
    let promoted: Vec<Promoted> = spans.iter().map(Promoted::of).collect();
    let mut columns = Columns {
        arrays: Vec::with_capacity(SPAN_COLUMNS.len()),
    };
    columns.text(spans, |span| Some(&span.trace_id));
    columns.text(spans, |span| Some(&span.span_id));
    columns.text(spans, |span| span.parent_id.as_deref());
    columns.text(spans, |span| Some(&span.name));
    columns.text(spans, |span| Some(&span.service));
    columns.text(spans, |span| Some(&span.operation));
    columns.text(spans, |span| Some(&span.kind));
    columns.big_integer(spans.iter().map(|span| Some(span.start_time)));
    columns.big_integer(spans.iter().map(|span| Some(span.end_time)));
    columns.double(spans.iter().map(|span| Some(span.duration_ms())));
    columns.text(spans, |span| Some(span.status_code.as_str()));
    columns.text(spans, |span| span.status_description.as_deref());
    columns.text(spans, |span| Some(&span.attributes));
    columns.text(spans, |span| Some(&span.events));
    columns.text(spans, |span| Some(&span.links));
    columns.text(spans, |span| Some(&span.resource));
    let mut created_at = TimestampMicrosecondBuilder::new();
    for span in spans {
        created_at.append_value(span.created_at.unwrap_or(now));
    }
    columns.arrays.push(Arc::new(created_at.finish()));
    columns.text(spans, |span| span.scope_name.as_deref());
    columns.text(spans, |span| span.scope_version.as_deref());
    columns.promoted_text(&promoted, |p| &p.service_name);
    columns.promoted_text(&promoted, |p| &p.service_version);
    columns.promoted_text(&promoted, |p| &p.deployment_environment);
    columns.promoted_text(&promoted, |p| &p.agent);
    columns.promoted_text(&promoted, |p| &p.correlation_id);
    columns.promoted_text(&promoted, |p| &p.task_id);
    columns.promoted_text(&promoted, |p| &p.workflow_name);
    columns.promoted_text(&promoted, |p| &p.module);
    columns.promoted_text(&promoted, |p| &p.class);
    columns.promoted_text(&promoted, |p| &p.function);
    columns.promoted_text(&promoted, |p| &p.code_file_path);
    columns.promoted_text(&promoted, |p| &p.code_function_name);
    columns.integer(promoted.iter().map(|p| p.code_line_number));
    columns.promoted_text(&promoted, |p| &p.exception_type);
    columns.promoted_text(&promoted, |p| &p.exception_message);
    columns.integer(promoted.iter().map(|p| Some(p.event_count)));
    columns.promoted_text(&promoted, |p| &p.gen_ai_provider);
    columns.promoted_text(&promoted, |p| &p.gen_ai_model);
    columns.promoted_text(&promoted, |p| &p.gen_ai_operation);
    columns.big_integer(promoted.iter().map(|p| p.gen_ai_input_tokens));
    columns.big_integer(promoted.iter().map(|p| p.gen_ai_output_tokens));
    columns.double(promoted.iter().map(|p| p.gen_ai_cost));
    columns.text(spans, |span| span.repair.as_deref());
    RecordBatch::try_new(SCHEMA.clone(), columns.arrays).expect("one array for each column of SPAN_COLUMNS")
}
