//! The arguments of a command, read from the line that shows them to people.
//!
//! ```text
//! sequence  = { item }
//! item      = word | "[" choices "]" | "<" choices ">" | "..."
//! choices   = sequence { "|" sequence }
//! ```
//!
//! `[ ]` may be left out, `< >` may not. A word in capitals stands for itself, one in small letters for a value. `x [x
//! ...]` is one or more `x`; `[x ...]` by itself is any number, and so is `[x] ...`.

/// One argument of a command, or several that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The word in capitals before its value, or itself.
    pub token: Option<String>,
    /// Whether it may be left out.
    pub is_optional: bool,
    /// Whether it may be there several times.
    pub is_multiple: bool,
    /// Which of the command's keys it is, if it is one: 0 for the first.
    pub key_index: usize,
    /// What it is made of, for [`Kind::OneOf`] and [`Kind::Block`].
    pub parts: Vec<Argument>,
}

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Several arguments in a row.
    Block,
    /// An integer.
    Integer,
    /// A key.
    Key,
    /// One of its parts.
    OneOf,
    /// A pattern with stars.
    Pattern,
    /// A word in capitals.
    PureToken,
    /// A string.
    String,
    /// A time as seconds or milliseconds since 1970.
    UnixTime,
}

impl Kind {
    /// The name in COMMAND DOCS.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Block => "block",
            Kind::Integer => "integer",
            Kind::Key => "key",
            Kind::OneOf => "oneof",
            Kind::Pattern => "pattern",
            Kind::PureToken => "pure-token",
            Kind::String => "string",
            Kind::UnixTime => "unix-time",
        }
    }

    /// What a value called `name` is.
    fn of_value(name: &str) -> Kind {
        match name {
            "key" | "key1" | "key2" | "newkey" | "source" | "destination" | "destkey" => Kind::Key,
            "pattern" => Kind::Pattern,
            "unix-seconds" | "unix-milliseconds" => Kind::UnixTime,
            "seconds" | "milliseconds" | "offset" | "start" | "end" | "count" | "increment" | "decrement" | "db"
            | "db1" | "db2" | "index" | "slot" | "cursor" | "bit" | "client-id" | "timeout" | "protover" | "arrows"
            | "version" | "lease-ms" | "ttl-ms" | "ms" | "token" | "maxage" | "min-match-len" => Kind::Integer,
            _ => Kind::String,
        }
    }
}

/// The arguments that `syntax` shows.
///
/// # Panics
/// When a bracket is not closed: the rows are written by hand, and a test reads them all.
pub(crate) fn parse(syntax: &str) -> Vec<Argument> {
    let words = words(syntax);
    let mut parser = Parser { words: &words, key_count: 0 };
    let mut arguments = parser.choices("");
    assert!(parser.words.is_empty(), "a bracket is closed that was not opened: {syntax}");
    if let [Argument { kind: Kind::Block, parts, is_optional: false, is_multiple: false, .. }] =
        arguments.as_mut_slice()
    {
        return std::mem::take(parts);
    }
    arguments
}

/// Words, brackets and bars by themselves.
fn words(syntax: &str) -> Vec<String> {
    let spaced: String = syntax
        .chars()
        .flat_map(
            |letter| if matches!(letter, '[' | ']' | '<' | '>' | '|') { vec![' ', letter, ' '] } else { vec![letter] },
        )
        .collect();
    spaced.split_whitespace().map(str::to_owned).collect()
}

struct Parser<'a> {
    words: &'a [String],
    key_count: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<&str> {
        let (word, rest) = self.words.split_first()?;
        self.words = rest;
        Some(word)
    }

    fn peek(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Choices up to the bracket `end`, which is taken; the arguments of the only one, or one argument for all.
    fn choices(&mut self, end: &str) -> Vec<Argument> {
        let mut choices = vec![self.sequence()];
        while self.peek() == "|" {
            self.next();
            choices.push(self.sequence());
        }
        if !end.is_empty() {
            assert_eq!(self.next(), Some(end), "an opened bracket is closed");
        }
        if choices.len() == 1 {
            return choices.remove(0);
        }
        let parts: Vec<Argument> = choices.into_iter().map(group).collect();
        let name = parts.iter().find(|part| !part.name.is_empty()).map_or("", |part| &part.name).to_owned();
        vec![Argument { parts, kind: Kind::OneOf, ..plain(name, Kind::OneOf) }]
    }

    fn sequence(&mut self) -> Vec<Argument> {
        let mut arguments: Vec<Argument> = Vec::new();
        let mut was_bracket = false;
        while !matches!(self.peek(), "" | "|" | "]" | ">") {
            let word = self.next().expect("a word was seen").to_owned();
            match word.as_str() {
                "[" => {
                    let keys_before = self.key_count;
                    let inner = self.choices("]");
                    add_optional(&mut arguments, inner, &mut self.key_count, keys_before);
                }
                "<" => {
                    let inner = self.choices(">");
                    arguments.push(group(inner));
                }
                "..." if was_bracket => {
                    arguments.last_mut().expect("a bracket is an argument").is_multiple = true;
                }
                "..." => {
                    let all = group(std::mem::take(&mut arguments));
                    arguments = vec![Argument { is_multiple: true, ..all }];
                }
                _ => arguments.push(self.word(word.clone())),
            }
            was_bracket = matches!(word.as_str(), "[" | "<");
        }
        arguments
    }

    fn word(&mut self, word: String) -> Argument {
        let is_token =
            word.bytes().all(|byte| !byte.is_ascii_lowercase()) && word.bytes().any(|byte| byte.is_ascii_uppercase());
        if !is_token {
            let kind = Kind::of_value(&word);
            let key_index = self.key_count;
            self.key_count += usize::from(kind == Kind::Key);
            return Argument { key_index, ..plain(word, kind) };
        }
        // A token with one value behind it is that value's.
        let next = self.peek();
        let is_value = next.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let stands_alone =
            self.words.get(1).is_some_and(|word| word.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase()));
        if is_value && !stands_alone {
            let value = self.next().expect("a value was seen").to_owned();
            let argument = self.word(value);
            return Argument { token: Some(word), ..argument };
        }
        Argument { token: Some(word.clone()), ..plain(word.to_lowercase(), Kind::PureToken) }
    }
}

/// Adds what stood in `[ ]`: a repetition of what is before it, or something that may be left out.
fn add_optional(arguments: &mut Vec<Argument>, mut inner: Vec<Argument>, key_count: &mut usize, keys_before: usize) {
    if let [repeated] = inner.as_mut_slice()
        && repeated.is_multiple
    {
        let parts =
            if repeated.kind == Kind::Block { repeated.parts.as_slice() } else { std::slice::from_ref(repeated) };
        let same = |one: &Argument, other: &Argument| (&one.name, &one.token) == (&other.name, &other.token);
        let start = arguments.len().wrapping_sub(parts.len());
        if start < arguments.len() && arguments[start..].iter().zip(parts).all(|(one, other)| same(one, other)) {
            *key_count = keys_before;
            let all = group(arguments.split_off(start));
            arguments.push(Argument { is_multiple: true, ..all });
            return;
        }
    }
    let all = group(inner);
    arguments.push(Argument { is_optional: true, ..all });
}

/// One argument for several in a row.
fn group(mut arguments: Vec<Argument>) -> Argument {
    if arguments.len() == 1 {
        return arguments.remove(0);
    }
    let name = arguments.first().map_or_else(String::new, |first| first.name.clone());
    Argument { parts: arguments, ..plain(name, Kind::Block) }
}

fn plain(name: String, kind: Kind) -> Argument {
    Argument { name, kind, token: None, is_optional: false, is_multiple: false, key_index: 0, parts: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::table;

    /// An argument on one line: `?` may be left out, `+` may be there several times.
    fn show(argument: &Argument) -> String {
        let marks = [(argument.is_optional, "?"), (argument.is_multiple, "+")];
        let marks: String = marks.iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| *mark).collect();
        let token = argument.token.as_ref().map_or_else(String::new, |token| format!("{token}:"));
        let parts = argument.parts.iter().map(show).collect::<Vec<_>>().join(" ");
        let parts = if parts.is_empty() { String::new() } else { format!("({parts})") };
        format!("{token}{}/{}{parts}{marks}", argument.name, argument.kind.name())
    }

    #[test]
    fn lines_become_arguments() {
        for (syntax, expected) in [
            ("", ""),
            ("key value", "key/key value/string"),
            ("key [key ...]", "key/key+"),
            ("key value [key value ...]", "key/block(key/key value/string)+"),
            ("[section [section ...]]", "section/string?+"),
            ("cursor [MATCH pattern] [COUNT count]", "cursor/integer MATCH:pattern/pattern? COUNT:count/integer?"),
            ("key seconds [NX | XX]", "key/key seconds/integer nx/oneof(NX:nx/pure-token XX:xx/pure-token)?"),
            ("<ON | OFF>", "on/oneof(ON:on/pure-token OFF:off/pure-token)"),
            (
                "key [start end [BYTE | BIT]]",
                "key/key start/block(start/integer end/integer byte/oneof(BYTE:byte/pure-token BIT:bit/pure-token)?)?",
            ),
            (
                "[protover [AUTH username password]]",
                "protover/block(protover/integer auth/block(AUTH:auth/pure-token username/string password/string)?)?",
            ),
        ] {
            let shown = parse(syntax).iter().map(show).collect::<Vec<_>>().join(" ");
            assert_eq!(shown, expected, "{syntax}");
        }
    }

    #[test]
    fn every_row_has_arguments_as_many_as_its_arity_asks_for() {
        for entry in table().resp_entries() {
            let arguments = parse(entry.row.syntax);
            let words = 1 + usize::from(entry.container.is_some_and(|_| !entry.row.name.is_empty()));
            let least = arguments.iter().filter(|argument| !argument.is_optional).map(least).sum::<usize>() + words;
            let arity = entry.row.arity.unsigned_abs() as usize;
            let is_container = matches!(entry.row.run, crate::command::row::Run::Container(_));
            assert!(
                is_container || least == arity,
                "{}: {least} by `{}`, {arity} by its arity",
                entry.full_name(),
                entry.row.syntax
            );
        }
    }

    /// How many words an argument takes at least.
    fn least(argument: &Argument) -> usize {
        let own = usize::from(argument.token.is_some());
        let required = argument.parts.iter().filter(|part| !part.is_optional);
        match argument.kind {
            Kind::PureToken => 1,
            Kind::OneOf => own + argument.parts.iter().map(least).min().unwrap_or(0).max(1),
            Kind::Block => own + required.map(least).sum::<usize>(),
            _ => own + 1,
        }
    }
}
