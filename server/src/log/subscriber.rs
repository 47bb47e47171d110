//! What `tracing` calls when somebody says something.
//!
//! `tracing` keeps for each place whether it is on, and the highest level of all; both are asked for anew when the level
//! changes. There are no spans: a thread's name says enough about where a line comes from.

use std::fmt::{Debug, Write};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

use super::gate::Admission;
use super::line::Line;
use super::{KEYED, Log, WHOLE};

/// The subscriber of this process.
#[derive(Debug)]
pub(super) struct Recorder(pub Arc<Log>);

impl Subscriber for Recorder {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.0.level()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.level())
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let (place, level, target) = (metadata.callsite(), *metadata.level(), metadata.target());
        let is_limited = target != WHOLE;
        if is_limited {
            let admission = self.0.book().gate.admit(place.clone(), level, self.0.elapsed_ms());
            match admission {
                Admission::Shown => {}
                Admission::FirstSuppressed => return self.0.to_write.notify_one(),
                Admission::Suppressed => return,
            }
        }
        let mut message = Message::default();
        event.record(&mut message);
        let line = Line::new(self.0.style(), level, &message.0).keyed(target == KEYED);
        if is_limited {
            self.0.book().gate.note(&place, &message.0);
        }
        self.0.say(line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The words of a line; fields beside the message follow it as `name=value`.
#[derive(Debug, Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let written = if field.name() == "message" {
            // It comes first if it is there.
            write!(self.0, "{value:?}")
        } else {
            let gap = if self.0.is_empty() { "" } else { " " };
            write!(self.0, "{gap}{}={value:?}", field.name())
        };
        written.expect("a string takes all text");
    }
}
