//! The porter: a thread that lets connections in where the thread they came to is stalled.
//!
//! The kernel spreads new connections over the listeners of all threads, so that one of a few threads that is stuck in a
//! long command leaves its share of them waiting at the door, those among them of people who want to know what is wrong.
//! The porter sleeps until something happens at any listener, gives the listener's own thread a while, and if that has
//! not left its turn by then, accepts in its place and gives the connection to a thread that is awake.
//!
//! ```text
//! asleep ──a connection came──▶ watching: looks every PATIENCE ──nobody waits──▶ asleep
//!                                  └─ still waiting, its thread at the same turn as at the look before:
//!                                     accepted, handed over, thread rung
//! ```
//!
//! It is woken at each new connection while it sleeps, and never by those that come while it watches; so it costs ten
//! wake-ups a second at most, and none where nobody connects. A shard's own port is not looked after: who connects to it
//! means that shard.
//!
//! Source: epoll(7) (edge-triggered: once for each connection that comes), socket(7) (`SO_RCVTIMEO` bounds accept(2)).

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use locksley_engine::Millis;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::net::{SocketFlags, accept_with, sockopt};

use crate::client::Door;
use crate::reactor::listener::Listener;
use crate::reactor::mesh::Bells;
use crate::reactor::ring::Ringer;
use crate::thread::Shared;

/// How long a thread may be at one turn before it counts as stalled, and between two looks.
const PATIENCE: Duration = Duration::from_millis(100);

/// Events that are taken at a time; of a listener there is one.
const EVENT_COUNT: usize = 64;

/// A listener that is looked after.
struct Entrance {
    listener: OwnedFd,
    door: Door,
    shard: u16,
    /// Somebody came, and was waiting at the last look.
    is_watched: bool,
}

/// At which turn a thread was at the last look, and since when it was seen there.
#[derive(Clone, Copy)]
struct Seen {
    turn: Option<Millis>,
    since: Instant,
}

/// See the module.
pub(super) struct Porter {
    shared: Arc<Shared>,
    bells: Bells,
    ringer: Ringer,
    epoll: OwnedFd,
    entrances: Vec<Entrance>,
    seen: Vec<Seen>,
    /// The thread that was given something last.
    last: u16,
}

impl Porter {
    /// A porter for the listeners of all threads, by shard; none where there is one thread only, since nobody could take
    /// its connections.
    ///
    /// # Errors
    /// When the kernel has no more descriptors or rings.
    pub(super) fn new(
        listeners: &[Vec<Listener>],
        shared: &Arc<Shared>,
        bells: &Bells,
    ) -> std::io::Result<Option<Porter>> {
        if listeners.len() < 2 {
            return Ok(None);
        }
        let mut porter = Porter {
            shared: Arc::clone(shared),
            bells: bells.clone(),
            ringer: Ringer::new()?,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            entrances: Vec::new(),
            seen: vec![Seen { turn: None, since: Instant::now() }; listeners.len()],
            last: 0,
        };
        for (shard, listeners) in (0..).zip(listeners) {
            for listener in listeners.iter().filter(|listener| listener.door != Door::Shard) {
                porter.look_after(listener, shard)?;
            }
        }
        Ok(Some(porter))
    }

    fn look_after(&mut self, listener: &Listener, shard: u16) -> std::io::Result<()> {
        let (listener, door) = (listener.duplicate()?, listener.door);
        // Who was waiting may be accepted by its own thread at the last moment. Rings do not look at this.
        sockopt::set_socket_timeout(&listener, sockopt::Timeout::Recv, Some(Duration::from_millis(1)))?;
        let index = epoll::EventData::new_u64(self.entrances.len() as u64);
        epoll::add(&self.epoll, &listener, index, epoll::EventFlags::IN | epoll::EventFlags::ET)?;
        self.entrances.push(Entrance { listener, door, shard, is_watched: false });
        Ok(())
    }

    /// Starts the thread, which ends with the process.
    ///
    /// # Errors
    /// When there are no more threads.
    pub(super) fn start(mut self) -> std::io::Result<()> {
        thread::Builder::new().name("porter".to_owned()).spawn(move || self.run()).map(drop)
    }

    fn run(&mut self) {
        while !self.shared.is_stopping() {
            let is_watching = self.entrances.iter().any(|entrance| entrance.is_watched) || self.has_given();
            if is_watching {
                thread::sleep(PATIENCE);
            }
            if let Err(error) = self.wait(is_watching) {
                tracing::warn!("connections of stalled threads are not taken over any more: {error}");
                return;
            }
            self.look();
        }
    }

    /// Notes at which listeners somebody came; sleeps until then unless it is watching.
    fn wait(&mut self, is_watching: bool) -> rustix::io::Result<()> {
        let mut events =
            [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }; EVENT_COUNT];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let count = match epoll::wait(&self.epoll, &mut events, is_watching.then_some(&now)) {
            Err(rustix::io::Errno::INTR) => 0,
            count => count?,
        };
        for event in &events[..count] {
            self.entrances[event.data.u64() as usize].is_watched = true;
        }
        Ok(())
    }

    /// Looks where every thread is, and takes over what waits for one that is stalled.
    fn look(&mut self) {
        for (shard, seen) in (0..).zip(&mut self.seen) {
            let turn = self.shared.pulses.turn_since(shard);
            if turn != seen.turn {
                *seen = Seen { turn, since: Instant::now() };
            }
        }
        for index in 0..self.entrances.len() {
            if self.entrances[index].is_watched {
                self.look_at(index);
            }
        }
        for shard in 0..self.shared.shard_count {
            if self.shared.handed.has_any(shard) && self.is_stalled(shard) {
                for connected in self.shared.handed.take(shard) {
                    // With nobody awake it goes back to where it was.
                    self.give(self.next_awake().unwrap_or(shard), connected);
                }
            }
        }
    }

    fn look_at(&mut self, index: usize) {
        while is_somebody_waiting(&self.entrances[index].listener) {
            if !self.is_stalled(self.entrances[index].shard) {
                return;
            }
            let Some(target) = self.next_awake() else { return };
            let Entrance { listener, door, .. } = &self.entrances[index];
            match accept_with(listener, SocketFlags::CLOEXEC) {
                Ok(socket) => self.give(target, (*door, socket)),
                // Somebody else was quicker, or descriptors ran out: then it is tried again at the next look.
                Err(_) => return,
            }
        }
        self.entrances[index].is_watched = false;
    }

    fn give(&mut self, target: u16, connected: crate::handed::Connected) {
        self.last = target;
        self.shared.handed.give(target, connected);
        if let Some(ring) = self.bells.ring(target) {
            self.ringer.ring(ring);
        }
    }

    /// Whether some thread has not taken what it was given.
    fn has_given(&self) -> bool {
        (0..self.shared.shard_count).any(|shard| self.shared.handed.has_any(shard))
    }

    fn is_stalled(&self, shard: u16) -> bool {
        let Seen { turn, since } = self.seen[usize::from(shard)];
        turn.is_some() && since.elapsed() >= PATIENCE
    }

    /// The next thread in turn that is not stalled.
    fn next_awake(&self) -> Option<u16> {
        let count = self.shared.shard_count;
        (1..=count).map(|step| (self.last + step) % count).find(|shard| !self.is_stalled(*shard))
    }
}

/// Whether a connection waits to be accepted.
fn is_somebody_waiting(listener: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&at_once)).is_ok_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpStream};

    use rustix::net::getsockname;

    use super::*;
    use crate::command::testing::START;
    use crate::config::Config;
    use crate::reactor::listener::ListenerOptions;

    /// A porter of two threads, of which nobody accepts, and the address of the first one's listener.
    fn porter() -> (Porter, SocketAddr) {
        let shared = Arc::new(Shared::new(2, START, "0".repeat(40), Config::default()));
        let options = ListenerOptions { door: Door::Http, backlog: 8, keepalive_seconds: 0 };
        let listen = || Listener::open("127.0.0.1:0".parse().expect("an address"), options).expect("a free port");
        let listeners = [vec![listen()], vec![listen()]];
        let porter = Porter::new(&listeners, &shared, &Bells::new(2)).expect("there are descriptors");
        let porter = porter.expect("there are two threads");
        let address = getsockname(&porter.entrances[0].listener).expect("it is bound");
        (porter, SocketAddr::try_from(address).expect("an address"))
    }

    /// As if the time of a look had passed.
    fn pass(porter: &mut Porter) {
        porter.seen.iter_mut().for_each(|seen| seen.since -= PATIENCE);
        porter.wait(true).expect("epoll works");
        porter.look();
    }

    #[test]
    fn a_connection_to_a_stalled_thread_goes_to_another() {
        let (mut porter, address) = porter();
        porter.shared.pulses.begin(0, Millis(1_000));
        let _client = TcpStream::connect(address).expect("somebody listens");
        porter.wait(false).expect("epoll works");
        porter.look();
        assert!(porter.entrances[0].is_watched && !porter.has_given(), "it may be at a short turn");
        pass(&mut porter);
        assert!(!porter.entrances[0].is_watched);
        assert_eq!(porter.shared.handed.take(1).len(), 1);
        let _other = TcpStream::connect(address).expect("somebody listens");
        porter.wait(false).expect("epoll works");
        porter.look();
        assert_eq!(porter.shared.handed.take(1).len(), 1, "who is known to be stalled is not waited for again");
    }

    #[test]
    fn who_is_at_work_or_asleep_accepts_himself() {
        let (mut porter, address) = porter();
        let _client = TcpStream::connect(address).expect("somebody listens");
        porter.wait(false).expect("epoll works");
        for turn in [1_000, 1_001] {
            porter.shared.pulses.begin(0, Millis(turn));
            pass(&mut porter);
        }
        porter.shared.pulses.rest(0);
        pass(&mut porter);
        pass(&mut porter);
        assert!(porter.entrances[0].is_watched && !porter.has_given());
        drop(porter.shared.handed.take(1));
        accept_with(&porter.entrances[0].listener, SocketFlags::CLOEXEC).expect("it waits");
        pass(&mut porter);
        assert!(!porter.entrances[0].is_watched);
    }

    #[test]
    fn what_a_thread_does_not_take_goes_to_one_that_is_awake() {
        let (mut porter, address) = porter();
        let _client = TcpStream::connect(address).expect("somebody listens");
        porter.shared.pulses.begin(0, Millis(1_000));
        porter.wait(false).expect("epoll works");
        porter.look();
        pass(&mut porter);
        assert!(porter.shared.handed.has_any(1));
        porter.shared.pulses.rest(0);
        porter.shared.pulses.begin(1, Millis(2_000));
        pass(&mut porter);
        assert!(porter.shared.handed.has_any(1), "it was seen there just now");
        pass(&mut porter);
        assert_eq!([porter.shared.handed.take(0).len(), porter.shared.handed.take(1).len()], [1, 0]);
    }
}
