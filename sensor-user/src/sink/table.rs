//! The table of the original detection: its eight columns, newest first.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

use crate::alert::escape::terminal;
use crate::alert::limit::cut;
use crate::alert::schema::Row;

/// The columns, by their exact names.
const COLUMNS: [&str; 8] = [
    "Timestamp",
    "DeviceName",
    "AccountName",
    "DetectionBranch",
    "SubjectProcess",
    "SubjectCmdLine",
    "ParentProcess",
    "ParentCmdLine",
];

/// Below this the columns are too narrow to read: the first four take 90 alone.
const NARROWEST: u16 = 176;

/// Bytes of a cell; the whole command line stands in the alert.
const CELL: usize = 240;

/// The rows, newest first, in at most `width` columns; without a width as wide as they are. On a
/// narrow terminal each row is shown as a block, a column a line.
pub fn table(rows: &[Row], width: Option<u16>) -> String {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by(|a, b| b.timestamp.cmp(&a.timestamp));
    match width {
        Some(width) if width < NARROWEST => blocks(&rows, width),
        _ => grid(&rows, width),
    }
}

fn grid(rows: &[&Row], width: Option<u16>) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::ASCII_BORDERS_ONLY_CONDENSED)
        .set_header(COLUMNS);
    if let Some(width) = width {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
        for (column, name) in table.column_iter_mut().zip(COLUMNS) {
            if !name.ends_with("CmdLine") {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
    for row in rows {
        table.add_row(cells(row));
    }
    format!("{table}\n")
}

fn blocks(rows: &[&Row], width: u16) -> String {
    let mut text = String::new();
    for row in rows {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
        for (name, cell) in COLUMNS.into_iter().zip(cells(row)) {
            table.add_row([name.to_owned(), cell]);
        }
        text.push_str(&table.trim_fmt());
        text.push_str("\n\n");
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn cells(row: &Row) -> [String; 8] {
    [
        &row.timestamp,
        &row.device_name,
        &row.account_name,
        &row.detection_branch,
        &row.subject_process,
        &row.subject_cmd_line,
        &row.parent_process,
        &row.parent_cmd_line,
    ]
    .map(|text| terminal(&cut(text, CELL)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;

    fn rows() -> Vec<Row> {
        let older = sample::postinstall().row;
        let mut newer = sample::callback().row;
        newer.timestamp = "2026-01-02T03:04:09.000000000Z".into();
        newer.subject_cmd_line = "python3 app.py\n::error::x\u{1b}[2J".into();
        vec![older, newer]
    }

    #[test]
    fn a_wide_terminal_shows_the_columns_newest_first() {
        insta::assert_snapshot!(table(&rows(), Some(180)));
    }

    #[test]
    fn eighty_columns_show_a_block_for_each_row() {
        insta::assert_snapshot!(table(&rows(), Some(80)));
    }

    #[test]
    fn a_pipe_gets_whole_lines() {
        insta::assert_snapshot!(table(&rows(), None));
    }

    #[test]
    fn the_columns_are_the_keys_of_the_row() {
        let row = serde_json::to_value(&rows()[0]).unwrap();
        let keys: Vec<&str> = row
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(keys, COLUMNS);
    }
}
