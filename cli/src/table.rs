//! Tables: as JSON for scripts, drawn for people.

use comfy_table::{ContentArrangement, Table as Drawing, presets};
use diracx_client::proto::common::v1 as pb;
use diracx_core::search::{Cell, Table};
use serde_json::{Map, Value, json};

use crate::{failure::Failure, times};

/// How many of the terminal's columns the headers may take before rows are drawn one below the other.
const WIDE: f64 = 0.75;

/// The table of an answer; an answer without one is not from a server of ours.
pub(crate) fn of_answer(table: Option<pb::Table>, total: Option<i64>) -> Result<Table, Failure> {
    let table = table.unwrap_or_default();
    table
        .into_domain(total)
        .map_err(|invalid| Failure::Other(format!("the answer makes no sense: {invalid}")))
}

/// The rows as a list of objects, in the order of the columns.
pub(crate) fn json(table: &Table) -> Value {
    Value::Array(objects(table).collect())
}

/// The rows as objects, in the order of the columns.
pub(crate) fn objects(table: &Table) -> impl Iterator<Item = Value> {
    table.rows.iter().map(|row| {
        let members = table.columns.iter().cloned().zip(row.iter().map(json_cell));
        Value::Object(members.collect::<Map<_, _>>())
    })
}

fn json_cell(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Int(number) => json!(number),
        Cell::Float(number) => json!(number),
        Cell::Text(text) => json!(text),
        Cell::Time(time) => json!(times::written(*time)),
        Cell::Bool(yes) => json!(yes),
    }
}

fn text_cell(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Int(number) => number.to_string(),
        Cell::Float(number) => number.to_string(),
        Cell::Text(text) => printable(text),
        Cell::Time(time) => times::readable(*time),
        Cell::Bool(yes) => yes.to_string(),
    }
}

/// Without characters that would command the terminal: a job may have any name.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Whether there is room for a line per row. Without a terminal there always is.
pub(crate) fn fits(columns: &[impl AsRef<str>], width: Option<u16>) -> bool {
    let headers: usize = columns.iter().map(|column| column.as_ref().chars().count() + 3).sum();
    #[expect(clippy::cast_precision_loss, reason = "a width has few digits")]
    let fits = width.is_none_or(|width| headers as f64 <= f64::from(width) * WIDE);
    fits
}

/// The rows as people like them; `width` is that of the terminal, if there is one.
pub(crate) fn draw(table: &Table, width: Option<u16>) -> String {
    let mut drawing = drawing(width);
    if fits(&table.columns, width) {
        drawing.set_header(&table.columns);
        for row in &table.rows {
            drawing.add_row(row.iter().map(text_cell));
        }
    } else {
        drawing.load_style(presets::UTF8_BORDERS_ONLY).set_header(["Parameter", "Value"]);
        for (i, row) in table.rows.iter().enumerate() {
            if i > 0 {
                drawing.add_row([String::new(), String::new()]);
            }
            for (column, cell) in table.columns.iter().zip(row) {
                drawing.add_row([column.clone(), text_cell(cell)]);
            }
        }
    }
    drawing.to_string()
}

/// Names and values, one pair a line.
pub(crate) fn draw_pairs(pairs: &[(&str, String)], width: Option<u16>) -> String {
    let mut drawing = drawing(width);
    for (name, value) in pairs {
        drawing.add_row([(*name).to_owned(), printable(value)]);
    }
    drawing.to_string()
}

fn drawing(width: Option<u16>) -> Drawing {
    let mut drawing = Drawing::new();
    drawing.load_style(presets::UTF8_FULL_CONDENSED);
    match width {
        Some(width) => {
            drawing.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        None => {
            drawing.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    drawing
}

/// How wide the terminal is that the answer goes to.
pub(crate) fn terminal_width() -> Option<u16> {
    Drawing::new().width()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let time = times::from_wire(1_577_836_800, 0).unwrap();
        Table {
            columns: ["JobID", "JobName", "LastUpdateTime"].map(str::to_owned).to_vec(),
            rows: vec![
                vec![Cell::Int(1), Cell::Text("a\u{1b}[2J".into()), Cell::Time(time)],
                vec![Cell::Int(2), Cell::Null, Cell::Null],
            ],
            total: 2,
        }
    }

    #[test]
    fn scripts_get_typed_values_under_the_names_of_the_columns() {
        let expected = json!([
            {"JobID": 1, "JobName": "a\u{1b}[2J", "LastUpdateTime": "2020-01-01T00:00:00Z"},
            {"JobID": 2, "JobName": null, "LastUpdateTime": null},
        ]);
        assert_eq!(json(&table()), expected);
    }

    #[test]
    fn people_get_a_line_per_job_where_there_is_room() {
        let drawn = draw(&table(), Some(120));
        assert!(
            drawn.lines().any(|line| line.contains("JobID") && line.contains("LastUpdateTime")),
            "{drawn}"
        );
        assert!(!drawn.contains('\u{1b}'), "{drawn}");
    }

    #[test]
    fn people_get_a_line_per_value_where_there_is_not() {
        let drawn = draw(&table(), Some(40));
        assert!(drawn.contains("Parameter"), "{drawn}");
        assert!(
            drawn.lines().any(|line| line.contains("LastUpdateTime") && line.contains("2020-01-01")),
            "{drawn}"
        );
    }
}
