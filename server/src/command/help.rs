//! What the HELP subcommand of every container replies.

use locksley_wire::resp::Reply;

/// Replies the help of `container` (in capitals): a heading, `lines`, and HELP itself; each a status line, as in Redis.
///
/// A line that begins with four blanks explains the subcommand above it.
pub(crate) fn help(container: &str, lines: &[&str], reply: &mut Reply<'_>) {
    reply.array(lines.len() + 3);
    reply.simple(&format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for line in lines.iter().chain(&["HELP", "    Prints this help."]) {
        reply.simple(line);
    }
}

#[cfg(test)]
mod tests {
    use locksley_wire::resp::Protocol;

    use super::*;

    #[test]
    fn help_is_an_array_of_status_lines() {
        let mut out = Vec::new();
        help("CLIENT", &["ID", "    Returns the id."], &mut Reply::new(&mut out, Protocol::Resp2));
        let text = String::from_utf8(out).expect("help is text");
        assert!(text.starts_with("*5\r\n+CLIENT <subcommand> "), "{text}");
        assert!(text.ends_with("+HELP\r\n+    Prints this help.\r\n"), "{text}");
    }
}
