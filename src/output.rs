//! Where a command's answer goes, and in which form.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use arrow_ipc::writer::StreamWriter;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use flockscope_render::{Style, csv, html, json};
use flockscope_store::arrow::array::RecordBatch;
use flockscope_store::arrow::datatypes::{FieldRef, SchemaRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_arrow::schema::{SchemaLike, TracingOptions};

use crate::context::Context;
use crate::failure::Failure;

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Csv,
    Html,
    Svg,
    Arrow,
}

impl Format {
    const ALL: [(&'static str, Self); 6] = [
        ("text", Self::Text),
        ("json", Self::Json),
        ("csv", Self::Csv),
        ("html", Self::Html),
        ("svg", Self::Svg),
        ("arrow", Self::Arrow),
    ];

    /// Reads the name of one of these formats.
    fn parser(these: &'static [Self]) -> impl TypedValueParser<Value = Self> {
        let known = Self::ALL.into_iter().filter(|(_, format)| these.contains(format));
        PossibleValuesParser::new(known.map(|(name, _)| name)).map(|name| {
            let known = Self::ALL.into_iter().find(|(known, _)| *known == name);
            known.map_or(Self::Text, |(_, format)| format)
        })
    }
}

/// Form and place of an answer that is a table.
#[derive(Args)]
pub(crate) struct TableOutput {
    /// Form of the answer
    #[arg(long, value_name = "FORMAT", default_value = "text",
          value_parser = Format::parser(&[Format::Text, Format::Json, Format::Csv, Format::Html, Format::Arrow]))]
    format: Format,
    /// Write to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Form and place of an answer that can be drawn.
#[derive(Args)]
pub(crate) struct DrawingOutput {
    /// Form of the answer
    #[arg(long, value_name = "FORMAT", default_value = "text",
          value_parser = Format::parser(&[Format::Text, Format::Json, Format::Csv, Format::Html, Format::Svg, Format::Arrow]))]
    format: Format,
    /// Write to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Form of an answer that is a few facts.
#[derive(Args)]
pub(crate) struct FactsOutput {
    /// Form of the answer
    #[arg(long, value_name = "FORMAT", default_value = "text",
          value_parser = Format::parser(&[Format::Text, Format::Json]))]
    format: Format,
}

/// Form and place of an answer.
pub(crate) struct Output {
    pub(crate) format: Format,
    file: Option<PathBuf>,
}

impl From<TableOutput> for Output {
    fn from(arguments: TableOutput) -> Self {
        Self {
            format: arguments.format,
            file: arguments.output,
        }
    }
}

impl From<DrawingOutput> for Output {
    fn from(arguments: DrawingOutput) -> Self {
        Self {
            format: arguments.format,
            file: arguments.output,
        }
    }
}

impl From<FactsOutput> for Output {
    fn from(arguments: FactsOutput) -> Self {
        Self {
            format: arguments.format,
            file: None,
        }
    }
}

impl Output {
    /// How text is written here: a file has no colours and no terminal's width.
    pub(crate) fn style(&self, context: &Context) -> Style {
        match self.file {
            Some(_) => Style {
                width: 120,
                ..Style::default()
            },
            None => context.style(),
        }
    }

    /// Writes an answer whose rows have no form of their own in JSON, CSV and Arrow.
    pub(crate) fn rows<T: Serialize + DeserializeOwned + Default>(
        &self,
        context: &Context,
        title: &str,
        rows: &[T],
        text: impl FnOnce(&[T], &Style) -> String,
        page: impl FnOnce(&[T]) -> String,
    ) -> Result<(), Failure> {
        let content = match self.format {
            Format::Text => text(rows, &self.style(context)),
            Format::Json => json::rows(rows).map_err(unwritable)?,
            Format::Csv => csv::rows(rows).map_err(unwritable)?,
            Format::Html | Format::Svg => html::page(title, &page(rows)),
            Format::Arrow => return self.arrow_rows(rows),
        };
        self.write(content.as_bytes())
    }

    /// Writes an answer, whole.
    pub(crate) fn write(&self, content: &[u8]) -> Result<(), Failure> {
        match &self.file {
            Some(file) => {
                fs::write(file, content).map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))
            }
            None => {
                let mut stdout = io::stdout().lock();
                stdout
                    .write_all(content)
                    .and_then(|()| stdout.flush())
                    .map_err(Failure::writing)
            }
        }
    }

    /// Writes rows as an Arrow IPC stream.
    pub(crate) fn arrow_rows<T: Serialize + DeserializeOwned>(&self, rows: &[T]) -> Result<(), Failure> {
        let options = TracingOptions::default()
            .strings_as_large_utf8(false)
            .sequence_as_large_list(false);
        let fields = Vec::<FieldRef>::from_type::<T>(options).map_err(unwritable)?;
        let batch = serde_arrow::to_record_batch(&fields, &rows).map_err(unwritable)?;
        self.arrow(&batch.schema(), &[batch])
    }

    /// Writes an Arrow IPC stream. <https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format>
    pub(crate) fn arrow(&self, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(), Failure> {
        if self.file.is_none() && io::stdout().is_terminal() {
            return Err(Failure::Usage(
                "Arrow is binary and would garble the terminal; add --output FILE, or pipe it into a program".into(),
            ));
        }
        let mut content = Vec::new();
        let mut writer = StreamWriter::try_new(&mut content, schema).map_err(unwritable)?;
        for batch in batches {
            writer.write(batch).map_err(unwritable)?;
        }
        writer.finish().map_err(unwritable)?;
        drop(writer);
        self.write(&content)
    }
}

fn unwritable(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("the answer can't be written in this form: {error}"))
}
