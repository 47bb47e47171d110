//! `client-output-buffer-limit`: how many unsent bytes a client may make the server keep.
//!
//! Redis's grammar: any number of `class hard soft seconds` groups; classes not named keep their limits.
//! Every client of this server is of class `normal`; the other classes are kept so that a configuration
//! survives a rewrite.

use super::memory;

/// The limit of one class of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutputLimit {
    /// A client with more unsent bytes is closed at once; 0 means no limit.
    pub hard_bytes: u64,
    /// A client with more unsent bytes for longer than `soft_seconds` is closed; 0 means no limit.
    pub soft_bytes: u64,
    /// How long the soft limit may be passed.
    pub soft_seconds: u32,
}

/// The limits of all classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutputLimits {
    /// Clients that send requests and read replies.
    pub normal: OutputLimit,
    /// Replicas.
    pub replica: OutputLimit,
    /// Subscribers.
    pub pubsub: OutputLimit,
}

const MIB: u64 = 1024 * 1024;

impl Default for OutputLimits {
    fn default() -> OutputLimits {
        OutputLimits {
            normal: OutputLimit::default(),
            replica: OutputLimit { hard_bytes: 256 * MIB, soft_bytes: 64 * MIB, soft_seconds: 60 },
            pubsub: OutputLimit { hard_bytes: 32 * MIB, soft_bytes: 8 * MIB, soft_seconds: 60 },
        }
    }
}

impl OutputLimits {
    /// As Redis prints them.
    pub(crate) fn text(&self) -> String {
        let classes = [("normal", self.normal), ("slave", self.replica), ("pubsub", self.pubsub)];
        let group = |(name, limit): &(&str, OutputLimit)| {
            format!("{name} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
        };
        classes.iter().map(group).collect::<Vec<_>>().join(" ")
    }

    /// Takes over the groups of `text`.
    ///
    /// # Errors
    /// A sentence; nothing is changed then.
    pub(crate) fn parse(&mut self, text: &str) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() || !words.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
        }
        let mut limits = *self;
        for group in words.chunks_exact(4) {
            let class = match group[0].to_ascii_lowercase().as_str() {
                "normal" => &mut limits.normal,
                "slave" | "replica" => &mut limits.replica,
                "pubsub" => &mut limits.pubsub,
                _ => return Err("Invalid client class specified in buffer limit configuration.".to_owned()),
            };
            let bad = || "Error in hard, soft or soft_seconds setting in buffer limit configuration.".to_owned();
            *class = OutputLimit {
                hard_bytes: memory::parse(group[1]).ok_or_else(bad)?,
                soft_bytes: memory::parse(group[2]).ok_or_else(bad)?,
                soft_seconds: group[3].parse().map_err(|_| bad())?,
            };
        }
        *self = limits;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_are_not_named_keep_their_limits() {
        let mut limits = OutputLimits::default();
        limits.parse("normal 1mb 512kb 10").expect("the grammar is followed");
        assert_eq!(limits.normal, OutputLimit { hard_bytes: MIB, soft_bytes: MIB / 2, soft_seconds: 10 });
        assert_eq!(limits.text(), "normal 1048576 524288 10 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
    }

    #[test]
    fn a_bad_group_changes_nothing() {
        for bad in ["", "normal 1 2", "normal 0 0 0 nobody 1 1 1", "normal x 0 0", "normal 0 0 -1"] {
            let mut limits = OutputLimits::default();
            assert!(limits.parse(bad).is_err(), "{bad}");
            assert_eq!(limits, OutputLimits::default());
        }
    }
}
