use std::error::Error;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError as LibraryError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::columns::{Column, ColumnKind, Row, Value, object, rows, seconds_number};
use crate::analysis::results::Results;

/// Why results cannot be written as Parquet.
#[derive(Debug, thiserror::Error)]
#[error("the results do not fit into a Parquet file")]
pub struct ParquetError(#[source] Box<dyn Error + Send + Sync>);

impl From<LibraryError> for ParquetError {
    fn from(error: LibraryError) -> Self {
        Self(Box::new(error))
    }
}

/// How many rows are written together.
const GROUP: usize = 100_000;

/// Results as [Parquet](https://parquet.apache.org/docs/file-format/): a row for each run of each test, with the columns
/// [`Column::ALL`]. Objects are JSON. Repeated texts are kept once (dictionaries); nothing is compressed besides.
///
/// # Errors
///
/// [`ParquetError`] if a group of rows is larger than the format allows.
pub fn parquet(results: &Results) -> Result<Vec<u8>, ParquetError> {
    let properties =
        WriterProperties::builder().set_created_by(format!("Caliper {}", results.caliper)).build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema()?, Arc::new(properties))?;
    let mut rows = rows(results);
    loop {
        let group: Vec<Row> = rows.by_ref().take(GROUP).collect();
        if group.is_empty() {
            break;
        }
        let mut columns = writer.next_row_group()?;
        let mut place = 0;
        while let Some(mut column) = columns.next_column()? {
            write(&mut column, Column::ALL[place].kind, group.iter().map(|row| &row[place]))?;
            column.close()?;
            place += 1;
        }
        columns.close()?;
    }
    writer.close()?;
    Ok(bytes)
}

fn schema() -> Result<TypePtr, LibraryError> {
    let field = |column: &Column| {
        let (physical, logical) = match column.kind {
            ColumnKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            ColumnKind::Object => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
            ColumnKind::Integer => (Physical::INT64, None),
            ColumnKind::Number => (Physical::DOUBLE, None),
            ColumnKind::Boolean => (Physical::BOOLEAN, None),
        };
        Type::primitive_type_builder(column.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()
            .map(Arc::new)
    };
    let fields = Column::ALL.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("runs").with_fields(fields).build().map(Arc::new)
}

/// Writes a column: the values that there are, and for each row whether it has one.
fn write<'a>(
    column: &mut SerializedColumnWriter<'_>,
    kind: ColumnKind,
    values: impl Iterator<Item = &'a Value> + Clone,
) -> Result<(), LibraryError> {
    let levels: Vec<i16> = values.clone().map(|value| i16::from(is_there(value))).collect();
    let levels = Some(&*levels);
    match kind {
        ColumnKind::Text | ColumnKind::Object => {
            let texts: Vec<ByteArray> = values.filter_map(text).collect();
            column.typed::<ByteArrayType>().write_batch(&texts, levels, None)?;
        }
        ColumnKind::Integer => {
            let numbers: Vec<i64> = values.filter_map(integer).collect();
            column.typed::<Int64Type>().write_batch(&numbers, levels, None)?;
        }
        ColumnKind::Number => {
            let numbers: Vec<f64> = values
                .filter_map(|value| match value {
                    Value::Nanoseconds(time) => Some(seconds_number(*time)),
                    _ => None,
                })
                .collect();
            column.typed::<DoubleType>().write_batch(&numbers, levels, None)?;
        }
        ColumnKind::Boolean => {
            let all: Vec<bool> = values
                .filter_map(|value| match value {
                    Value::Boolean(is_so) => Some(*is_so),
                    _ => None,
                })
                .collect();
            column.typed::<BoolType>().write_batch(&all, levels, None)?;
        }
    }
    Ok(())
}

fn is_there(value: &Value) -> bool {
    match value {
        Value::Nothing => false,
        Value::Seed(_) => integer(value).is_some(),
        _ => true,
    }
}

fn text(value: &Value) -> Option<ByteArray> {
    match value {
        Value::Text(text) => Some(text.as_str().into()),
        Value::Numbers(numbers) => Some(object(numbers).as_str().into()),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(i64::try_from(*number).unwrap_or(i64::MAX)),
        // A seed that is another one would be worse than none.
        Value::Seed(seed) => i64::try_from(*seed).ok(),
        Value::Status(number) => Some((*number).into()),
        _ => None,
    }
}
