//! Pages in the text format of Prometheus, read apart.

use std::collections::{BTreeMap, BTreeSet};

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    /// What is announced, by its name: counter, gauge, histogram or summary.
    pub kinds: BTreeMap<String, String>,
    /// The samples by their names with labels, as they are written.
    pub samples: BTreeMap<String, f64>,
}

impl Page {
    /// Reads a page apart.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub(crate) fn read(text: &str) -> Self {
        let mut page = Self { kinds: BTreeMap::new(), samples: BTreeMap::new() };
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no kind: {line}"));
                assert!(page.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "announced twice: {line}");
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
                let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
                assert!(page.samples.insert(name.to_owned(), value).is_none(), "told twice: {line}");
            }
        }
        page
    }

    /// The value of one sample.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn value(&self, sample: &str) -> f64 {
        *self.samples.get(sample).unwrap_or_else(|| panic!("there is no sample {sample}"))
    }

    /// The sum of all samples of a metric.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        assert!(self.kinds.contains_key(name), "there is no metric {name}");
        self.samples.iter().filter(|(sample, _)| family(sample) == name).map(|(_, value)| value).sum()
    }

    /// The names of all samples, labels aside.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|sample| family(sample)).collect()
    }
}

/// The name of a sample without its labels.
fn family(sample: &str) -> &str {
    sample.split('{').next().expect("there is a first part")
}
