//! The words on the command lines of the two programs that play conformance cases.

use std::env;
use std::path::{Path, PathBuf};

/// What a program that plays cases is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Fill in what the model answers.
    pub is_recording: bool,
    /// Play against the model.
    pub asks_model: bool,
    /// Shards of the subject.
    pub shards: u32,
    paths: Vec<PathBuf>,
}

impl Options {
    /// Those of this process; `model` is the flag that asks the model.
    pub fn of_process(model: &str) -> Self {
        Self::of_words(env::args().skip(1), model)
    }

    fn of_words(mut words: impl Iterator<Item = String>, model: &str) -> Self {
        let mut options = Self { is_recording: false, asks_model: false, shards: 1, paths: Vec::new() };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--record" => options.is_recording = true,
                "--shards" => options.shards = words.next().and_then(|count| count.parse().ok()).unwrap_or(1),
                flag if flag == model => options.asks_model = true,
                path => options.paths.push(PathBuf::from(path)),
            }
        }
        options
    }

    /// Whether the server to ask is the model.
    pub fn is_for_model(&self) -> bool {
        self.is_recording || self.asks_model
    }

    /// The files that were named, or `all` if none was.
    ///
    /// # Errors
    ///
    /// What is wrong with the first that is not well written.
    pub fn files<F>(
        &self,
        read: impl Fn(&Path) -> Result<F, String>,
        all: impl Fn() -> Vec<F>,
    ) -> Result<Vec<F>, String> {
        if self.paths.is_empty() { Ok(all()) } else { self.paths.iter().map(|path| read(path)).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn words_are_read() {
        let words = ["--shards", "4", "--oracle", "a.cases"].map(str::to_owned);
        let options = Options::of_words(words.into_iter(), "--oracle");
        assert!(options.is_for_model() && !options.is_recording);
        assert_eq!(options.shards, 4);
        let read = |path: &std::path::Path| Ok(path.display().to_string());
        assert_eq!(options.files(read, Vec::new), Ok(vec!["a.cases".to_owned()]));
    }
}
