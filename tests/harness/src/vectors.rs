//! Tables of cases: three columns separated by tabs, `\uXXXX` and `\UXXXXXXXX` for characters that would not show.

/// Host patterns against authorities.
pub const HOSTS: &str = include_str!("../../vectors/hosts.tsv");
/// Paths, their canonical form, and patterns that match them.
pub const PATHS: &str = include_str!("../../vectors/paths.tsv");

/// The rows of a table, unescaped; its first line says what the columns mean.
pub fn rows(table: &str) -> Vec<[String; 3]> {
    let rows: Vec<_> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let columns: Vec<_> = line.split('\t').map(unescape).collect();
            <[String; 3]>::try_from(columns).unwrap_or_else(|_| panic!("not three columns: {line:?}"))
        })
        .collect();
    assert!(!rows.is_empty());
    rows
}

fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let length = match part.as_bytes().first() {
            Some(b'u') => 4,
            Some(b'U') => 8,
            _ => panic!("no escape: `\\{part}`"),
        };
        let (digits, rest) = part[1..].split_at(length);
        let code = u32::from_str_radix(digits, 16).unwrap();
        out.push(char::from_u32(code).unwrap());
        out.push_str(rest);
    }
    out
}
