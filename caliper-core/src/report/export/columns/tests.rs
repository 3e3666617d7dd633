use super::*;
use crate::report::export::tests::hostile;

#[test]
fn a_value_is_of_the_kind_of_its_column() {
    let mut seen = 0;
    for row in rows(&hostile()) {
        for (column, value) in Column::ALL.iter().zip(&row) {
            let fits = matches!(
                (column.kind, value),
                (_, Value::Nothing)
                    | (ColumnKind::Text, Value::Text(_))
                    | (ColumnKind::Integer, Value::Integer(_) | Value::Seed(_) | Value::Status(_))
                    | (ColumnKind::Number, Value::Nanoseconds(_))
                    | (ColumnKind::Boolean, Value::Boolean(_))
                    | (ColumnKind::Object, Value::Numbers(_))
            );
            assert!(fits, "{}: {value:?}", column.name);
        }
        seen += 1;
    }
    assert!(seen > 3);
    for column in Column::ALL {
        let is_name = |one: char| one.is_ascii_lowercase() || one == '_';
        assert!(column.name.chars().all(is_name) && !column.about.is_empty());
    }
}
