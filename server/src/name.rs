//! The name of an entry as it is kept beside a shard: a database and a key.

use hashbrown::Equivalent;
use locksley_engine::Db;

/// A database and a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    /// The database.
    pub db: Db,
    /// The key.
    pub key: Box<[u8]>,
}

/// The same, of bytes that are somebody else's; it has the same hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NameRef<'a> {
    /// The database.
    pub db: Db,
    /// The key.
    pub key: &'a [u8],
}

impl Equivalent<Name> for NameRef<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        self.db == name.db && *self.key == *name.key
    }
}

#[cfg(test)]
mod tests {
    use hashbrown::HashMap;

    use super::*;

    #[test]
    fn a_name_is_found_by_the_bytes_of_others() {
        let mut names = HashMap::new();
        for (db, key) in [(0, "a"), (1, "a"), (0, ""), (0, "a longer one")] {
            names.insert(Name { db: Db(db), key: Box::from(key.as_bytes()) }, (db, key));
        }
        for (db, key) in [(0, "a"), (1, "a"), (0, ""), (0, "a longer one")] {
            assert_eq!(names.get(&NameRef { db: Db(db), key: key.as_bytes() }), Some(&(db, key)));
        }
        assert_eq!(names.get(&NameRef { db: Db(1), key: b"" }), None);
    }
}
