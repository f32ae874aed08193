//! Tables as wide as the terminal, and as wide as they need be where there is none.

use crate::read::escape;
use comfy_table::{ContentArrangement, Table, presets};
use std::io::{self, Write};
use terminal_size::Width;

/// Writes rows under their heads, in columns that are parted by space.
pub(crate) fn write<const N: usize>(
    heads: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut table = Table::new();
    // whatever is in a cell stays in it
    let rows = rows.into_iter().map(|row| row.map(|cell| escape::line(&cell).into_owned()));
    table.load_style(presets::NOTHING).set_header(heads).add_rows(rows);
    if let Some((Width(width), _)) = terminal_size::terminal_size_of(io::stdout()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut out = Vec::new();
        let rows = [["a".to_owned(), "long enough".to_owned(), "c".to_owned()], ["", "b", ""].map(str::to_owned)];
        super::write(["ONE", "TWO", "THREE"], rows, &mut out).unwrap();
        let expected = "ONE  TWO          THREE\na    long enough  c\n     b\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
