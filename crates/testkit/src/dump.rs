//! The content of a server's database as text.

use std::io::Read as _;

use postgres::{Client, NoTls};
use rusqlite::types::ValueRef;

/// Every row of every table of an SQLite file, one per line, with tabs between the columns.
pub(crate) fn sqlite(connection: &rusqlite::Connection) -> rusqlite::Result<String> {
    let mut dump = String::new();
    for table in names(connection)? {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            dump.push_str(&table);
            for column in 0..columns {
                dump.push('\t');
                match row.get_ref(column)? {
                    ValueRef::Null => dump.push_str("NULL"),
                    ValueRef::Integer(number) => dump.push_str(&number.to_string()),
                    ValueRef::Real(number) => dump.push_str(&number.to_string()),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => dump.push_str(&String::from_utf8_lossy(bytes)),
                }
            }
            dump.push('\n');
        }
    }
    Ok(dump)
}

fn names(connection: &rusqlite::Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// The same for a PostgreSQL database.
pub(crate) fn postgres(url: &str) -> Result<String, postgres::Error> {
    let mut client = Client::connect(url, NoTls)?;
    let mut dump = String::new();
    for row in client.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'", &[])? {
        let table: String = row.get(0);
        let mut rows = client.copy_out(&format!("COPY \"{table}\" TO STDOUT"))?;
        let mut text = String::new();
        rows.read_to_string(&mut text).expect("rows in UTF-8");
        for line in text.lines() {
            dump.push_str(&format!("{table}\t{line}\n"));
        }
    }
    Ok(dump)
}
