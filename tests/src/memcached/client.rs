//! A raw client of the memcached protocol: lines out, lines and data blocks in.

use std::io;
use std::net::SocketAddr;

use crate::connection::{Connection, Missing};

/// One connection.
#[derive(Debug)]
pub struct MemcachedClient {
    connection: Connection,
}

/// One item of a `get` reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its key.
    pub key: String,
    /// Its client flags.
    pub flags: u32,
    /// Its value.
    pub value: Vec<u8>,
    /// Its cas, if `gets` or `gats` was asked.
    pub cas: Option<u64>,
}

impl MemcachedClient {
    /// Connects.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { connection: Connection::open(address)? })
    }

    /// The connection, for bytes as they are.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Sends a line and reads the one line that answers it.
    ///
    /// # Panics
    ///
    /// If it is not answered.
    pub fn command(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.line()
    }

    /// Sends a line with a data block and reads the one line that answers them.
    ///
    /// # Panics
    ///
    /// If they are not answered.
    pub fn store(&mut self, line: &str, block: &[u8]) -> String {
        self.send(&[line.as_bytes(), b"\r\n", block, b"\r\n"].concat());
        self.line()
    }

    /// Sends a line of `get`, `gets`, `gat` or `gats` and reads the items.
    ///
    /// # Panics
    ///
    /// If the answer is something else.
    pub fn retrieve(&mut self, line: &str) -> Vec<Item> {
        self.send(format!("{line}\r\n").as_bytes());
        self.items()
    }

    /// Reads items up to `END`.
    ///
    /// # Panics
    ///
    /// If something else comes.
    pub fn items(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            let line = self.line();
            if line == "END" {
                return items;
            }
            let words: Vec<&str> = line.split(' ').collect();
            let ["VALUE", key, flags, bytes, cas @ ..] = words.as_slice() else { panic!("no item: {line}") };
            let count: usize = bytes.parse().expect("a length");
            let value = self.block(count);
            let flags = flags.parse().expect("32 bits of flags");
            let cas = cas.first().map(|cas| cas.parse().expect("a cas of 64 bits"));
            items.push(Item { key: (*key).to_owned(), flags, value, cas });
        }
    }

    /// Sends a line of `mg` or `ma` and reads the line that answers it, and the value behind `VA`.
    ///
    /// # Panics
    ///
    /// If it is not answered.
    pub fn meta(&mut self, line: &str) -> (String, Option<Vec<u8>>) {
        let answer = self.command(line);
        let count = answer.strip_prefix("VA ").map(|rest| {
            let digits = rest.split(' ').next().expect("a first word");
            digits.parse::<usize>().expect("a length")
        });
        let value = count.map(|count| self.block(count));
        (answer, value)
    }

    /// The statistics of `stats` and these words, by name.
    ///
    /// # Panics
    ///
    /// If the answer is something else.
    pub fn stats(&mut self, words: &str) -> Vec<(String, String)> {
        self.send(format!("{}\r\n", format!("stats {words}").trim_end()).as_bytes());
        let mut stats = Vec::new();
        loop {
            let line = self.line();
            if line == "END" {
                return stats;
            }
            let words: Vec<&str> = line.splitn(3, ' ').collect();
            let ["STAT", name, value] = words.as_slice() else { panic!("no statistic: {line}") };
            stats.push(((*name).to_owned(), (*value).to_owned()));
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    ///
    /// If the server does not take them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.connection.send(bytes).expect("the server reads");
    }

    /// Reads one line.
    ///
    /// # Panics
    ///
    /// If none comes.
    pub fn line(&mut self) -> String {
        let line = self.connection.line().unwrap_or_else(|missing| panic!("a line was expected: {missing}"));
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Reads a data block of so many bytes and its end.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn block(&mut self, count: usize) -> Vec<u8> {
        let mut block = self.connection.bytes(count + 2).unwrap_or_else(|missing: Missing| panic!("{missing}"));
        assert_eq!(&block[count..], b"\r\n", "a data block ends with its line");
        block.truncate(count);
        block
    }
}
