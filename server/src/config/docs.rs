//! docs/settings.md, made from the rows.

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use crate::config::Config;
    use crate::config::setting::Change;
    use crate::config::settings::SETTINGS;

    fn page() -> String {
        let mut page = String::from(
            "# Settings\n\nMade from the table in `server/src/config/settings.rs`; `LOCKSLEY_BLESS=1 cargo test -p \
             locksley-server settings_page` writes it anew.\n\n| setting | values | default | CONFIG SET | what it is for |\n\
             |---|---|---|---|---|\n",
        );
        for setting in SETTINGS {
            let change = if setting.change == Change::AtRunTime { "yes" } else { "no" };
            let grammar = setting.grammar().replace('|', "\\|");
            let default = setting.get(&Config::default());
            writeln!(page, "| `{}` | `{grammar}` | `{default}` | {change} | {} |", setting.name, setting.summary)
                .expect("a string takes all text");
        }
        page.replace("``", "(empty)")
    }

    #[test]
    fn the_settings_page_says_what_the_rows_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
        if std::env::var_os("LOCKSLEY_BLESS").is_some() {
            std::fs::write(path, page()).expect("the page is writable");
        }
        let found = std::fs::read_to_string(path).expect("the page is there");
        assert_eq!(found, page(), "docs/settings.md is out of date");
    }
}
