//! The answer to a query as names and texts, for whoever shows it.

use arrow_cast::display::{ArrayFormatter, FormatOptions};
use flockscope_store::Answer;
use flockscope_store::arrow::array::ArrayRef;
use flockscope_store::arrow::error::ArrowError;

/// Names of the columns of an answer. Of several with one name the later ones get a number: `n`, `n_2`.
pub fn column_names(answer: &Answer) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for field in answer.schema.fields() {
        let mut name = field.name().clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{}_{number}", field.name());
            number += 1;
        }
        names.push(name);
    }
    names
}

/// Rows of an answer as text, `None` for NULL.
pub fn row_texts(answer: &Answer) -> Result<Vec<Vec<Option<String>>>, ArrowError> {
    let mut rows = Vec::with_capacity(answer.row_count());
    for batch in &answer.batches {
        let columns = batch
            .columns()
            .iter()
            .map(column_texts)
            .collect::<Result<Vec<_>, _>>()?;
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        rows.extend((0..batch.num_rows()).map(|_| columns.iter_mut().map(|column| column.next().flatten()).collect()));
    }
    Ok(rows)
}

/// Values of one column as text, `None` for NULL.
pub fn column_texts(column: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
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
