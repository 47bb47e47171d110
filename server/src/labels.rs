//! How clients are named where their connection is not: for the slow log of the other threads.
//!
//! A request may run after its client is gone, because a shard was stalled, and then it is the more interesting who asked.
//! So the newest of those that left are remembered for a while.

use std::collections::VecDeque;
use std::net::SocketAddr;

use hashbrown::HashMap;

use crate::client::ClientId;
use crate::limits::GONE_LABEL_COUNT_MAX;

/// What the slow log says of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// Its address.
    pub address: SocketAddr,
    /// Its name.
    pub name: Vec<u8>,
}

/// The labels of all clients of the server, and of some that left.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    present: HashMap<ClientId, Label>,
    /// The last ones that left, in their order.
    gone: VecDeque<(ClientId, Label)>,
}

impl Labels {
    /// Adds a client.
    pub(crate) fn insert(&mut self, id: ClientId, label: Label) {
        self.present.insert(id, label);
    }

    /// Names a client, if it is there.
    pub(crate) fn rename(&mut self, id: ClientId, name: &[u8]) {
        if let Some(label) = self.present.get_mut(&id) {
            label.name = name.to_vec();
        }
    }

    /// Notes that a client left.
    pub(crate) fn remove(&mut self, id: ClientId) {
        let Some(label) = self.present.remove(&id) else { return };
        if self.gone.len() == GONE_LABEL_COUNT_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back((id, label));
    }

    /// The label of a client, unless it left long ago.
    pub(crate) fn get(&self, id: ClientId) -> Option<&Label> {
        let gone = || self.gone.iter().rev().find(|(other, _)| *other == id).map(|(_, label)| label);
        self.present.get(&id).or_else(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(port: u16) -> Label {
        Label { address: SocketAddr::from(([127, 0, 0, 1], port)), name: Vec::new() }
    }

    #[test]
    fn who_left_is_known_until_many_others_left() {
        let mut labels = Labels::default();
        labels.insert(ClientId(1), label(1));
        labels.rename(ClientId(1), b"first");
        labels.rename(ClientId(9), b"nobody");
        labels.remove(ClientId(1));
        labels.remove(ClientId(9));
        assert_eq!(labels.get(ClientId(1)), Some(&Label { name: b"first".to_vec(), ..label(1) }));
        assert_eq!(labels.get(ClientId(9)), None);
        for number in 2..=1 + GONE_LABEL_COUNT_MAX as u64 {
            assert!(labels.get(ClientId(1)).is_some());
            labels.insert(ClientId(number), label(2));
            labels.remove(ClientId(number));
        }
        assert_eq!(labels.get(ClientId(1)), None);
        assert_eq!(labels.get(ClientId(2)), Some(&label(2)));
    }
}
