//! `docs/commands.md`, written from the rows.
//!
//! The test here fails when the file is not what the rows say; `LOCKSLEY_BLESS=1 cargo test -p locksley-server docs`
//! writes it anew.

use std::fmt::Write;

use super::hints;
use super::row::Group;
use super::table::{Entry, table};

const HEAD: &str = "\
# Commands

Written from the table of commands (`server/src/command/`): change a row there, then run
`LOCKSLEY_BLESS=1 cargo test -p locksley-server docs`.

Names are taken in any case. `[ ]` may be left out, `< >` holds a choice, `|` parts choices, a word in
capitals stands for itself. *Since* is the version of Redis that brought the command, unless it says otherwise.
";

/// The groups in the order of the manual, with their titles.
const GROUPS: [(Group, &str); 7] = [
    (Group::Connection, "Connection"),
    (Group::Generic, "Keys"),
    (Group::String, "Strings"),
    (Group::Bitmap, "Bits"),
    (Group::Cache, "Caching"),
    (Group::Server, "Server"),
    (Group::Cluster, "Cluster"),
];

fn write_all() -> String {
    let mut text = String::from(HEAD);
    for (group, title) in GROUPS {
        write!(text, "\n## {title}\n\n| command | what it does | cost | since | ACL |\n|---|---|---|---|---|\n")
            .expect("a string takes all that is written");
        let mut entries: Vec<Entry> =
            table().commands().iter().copied().filter(|entry| entry.row.group == group).collect();
        entries.sort_by_key(|entry| entry.row.name);
        for entry in entries {
            let mut subcommands: Vec<Entry> = table().subcommands(entry.row).collect();
            subcommands.sort_by_key(|entry| entry.row.name);
            if subcommands.is_empty() {
                write_line(entry, &mut text);
            }
            for entry in &subcommands {
                write_line(*entry, &mut text);
            }
        }
    }
    text
}

fn write_line(entry: Entry, text: &mut String) {
    let row = entry.row;
    let name = entry.full_name().replace('|', " ").to_uppercase();
    let syntax = row.syntax.replace('|', "\\|");
    let separator = if syntax.is_empty() { "" } else { " " };
    let categories = hints::categories(row).iter().map(|name| format!("@{name}")).collect::<Vec<_>>().join(" ");
    let (summary, complexity, since) = (row.summary, row.complexity, row.since);
    writeln!(text, "| `{name}{separator}{syntax}` | {summary} | {complexity} | {since} | {categories} |")
        .expect("a string takes all that is written");
}

#[test]
fn the_manual_says_what_the_rows_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands.md");
    let written = write_all();
    if std::env::var_os("LOCKSLEY_BLESS").is_some() {
        std::fs::write(path, &written).expect("docs/commands.md can be written");
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == written,
        "docs/commands.md is out of date: run LOCKSLEY_BLESS=1 cargo test -p locksley-server docs"
    );
}
