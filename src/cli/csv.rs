//! CSV (RFC 4180) that survives spreadsheets: whatever could be taken for a separator is quoted, and whatever could be taken for a
//! formula is not one any more.

/// How the table is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Commas, as the standard has it.
    Standard,
    /// Semicolons and a byte order mark: what Excel opens by a double click where the comma is the decimal sign, as in Russia.
    Excel,
}

impl Dialect {
    /// What stands before the table.
    pub fn opening(self) -> &'static str {
        match self {
            Dialect::Standard => "",
            Dialect::Excel => "\u{feff}",
        }
    }

    fn separator(self) -> char {
        match self {
            Dialect::Standard => ',',
            Dialect::Excel => ';',
        }
    }
}

/// Appends a row.
pub fn write_row<'a>(out: &mut String, dialect: Dialect, cells: impl IntoIterator<Item = &'a str>) {
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            out.push(dialect.separator());
        }
        write_cell(out, cell);
    }
    out.push_str("\r\n");
}

fn write_cell(out: &mut String, cell: &str) {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = cell.contains([',', ';', '"', '\r', '\n', '\t']) || cell.starts_with(' ') || cell.ends_with(' ');
    if quoted {
        out.push('"');
    }
    if formula {
        out.push('\'');
    }
    if quoted {
        out.push_str(&cell.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(cell);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(dialect: Dialect, cells: &[&str]) -> String {
        let mut out = String::new();
        write_row(&mut out, dialect, cells.iter().copied());
        out
    }

    #[test]
    fn what_could_be_taken_for_a_separator_is_quoted_in_either_dialect() {
        let cells = ["a", "", "b,c", "d;e", "say \"f\"", "g\nh", " i"];
        let commas = "a,,\"b,c\",\"d;e\",\"say \"\"f\"\"\",\"g\nh\",\" i\"\r\n";
        let semicolons = "a;;\"b,c\";\"d;e\";\"say \"\"f\"\"\";\"g\nh\";\" i\"\r\n";
        assert_eq!(row(Dialect::Standard, &cells), commas);
        assert_eq!(row(Dialect::Excel, &cells), semicolons);
    }

    #[test]
    fn no_cell_is_a_formula() {
        let cells = ["=1+1", "+7", "-1", "@SUM(A1)", "=HYPERLINK(\"x\";\"y\")", "a=b"];
        let expected = "'=1+1,'+7,'-1,'@SUM(A1),\"'=HYPERLINK(\"\"x\"\";\"\"y\"\")\",a=b\r\n";
        assert_eq!(row(Dialect::Standard, &cells), expected);
    }
}
