//! The one driver of a thread's io_uring: requests go in as method calls, completions come out as [`Event`]s.
//!
//! Why narrow: hosts that forbid io_uring can be served by another driver with the same few methods.
//!
//! How it works: every method queues; [`Ring::wait`] submits all of it and sleeps in the same system call, so that a
//! turn of the loop costs one. A send is first tried without waiting, and without a completion when it succeeds
//! (`MSG_DONTWAIT`, `CQE_SKIP_SUCCESS`): such a send is over when the system call returns, so a turn whose replies
//! all fit into their sockets waits for the next request and not for its own sends. What does not fit is sent on by a
//! second send that waits for room.
//!
//! ```text
//! send ── whole ─────────────────────────────▶ Sent      (no completion)
//!      └─ cut short or EAGAIN ── patient send ▶ Sent
//! ```
//!
//! Invariants:
//! - the memory of a send belongs to the ring until its [`Event::Sent`];
//! - at most one send and one receive a socket are in flight, so completions need no sequence numbers;
//! - a socket's place in the file table is used again after its [`Event::Closed`] only.
//!
//! Source: io_uring_enter(2), io_uring_prep_send(3), io_uring_prep_recv(3), `io_sendmsg_prep` and `io_queue_async` of
//! Linux for what `MSG_DONTWAIT` does.
#![expect(unsafe_code, reason = "submissions carry pointers to memory that must outlive them")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;
use io_uring::types::{CancelBuilder, Fd, Fixed, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::io::Errno;

use super::buffers::{Buffers, GROUP, Piece};
use crate::observe::clock::{Clock, Nanos};

use super::limits::{COMPLETION_COUNT, SUBMISSION_COUNT};

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// A listener has a new connection.
    Accepted {
        /// Which listener.
        listener: u32,
        /// The connection's socket.
        socket: OwnedFd,
        /// Whether the listener goes on accepting by itself.
        is_armed: bool,
    },
    /// A listener could not accept.
    AcceptFailed {
        /// Which listener.
        listener: u32,
        /// Why.
        error: Errno,
        /// Whether the listener goes on accepting by itself.
        is_armed: bool,
    },
    /// Bytes came in.
    Received {
        /// From which socket.
        slot: u32,
        /// The bytes.
        piece: Piece,
        /// Whether the socket goes on receiving by itself.
        is_armed: bool,
    },
    /// A socket receives no longer: the peer is done (no error), the receive was cancelled or failed.
    ReceiveEnded {
        /// Which socket.
        slot: u32,
        /// Why, if not because the peer is done.
        error: Option<Errno>,
    },
    /// A send is over.
    Sent {
        /// On which socket.
        slot: u32,
        /// What was to be sent.
        buffer: Vec<u8>,
        /// What went wrong, if anything did.
        error: Option<Errno>,
        /// How long it waited for room in the socket.
        waited: Nanos,
    },
    /// A socket is closed, its slot free.
    Closed {
        /// Which one.
        slot: u32,
    },
    /// A file is synced, or cannot be.
    Synced {
        /// Which sync, as [`Ring::sync`] was told.
        tag: u32,
        /// What went wrong, if anything did.
        error: Option<Errno>,
    },
    /// Another thread rang.
    Woken,
}

/// What a completion is about, in the top byte of its user data; the rest is a slot or index.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Accept = 1,
    Receive,
    HastySend,
    PatientSend,
    Close,
    Wake,
    Control,
    Sync,
}

impl Kind {
    const fn tag(self, index: u32) -> u64 {
        (self as u64) << 56 | index as u64
    }

    fn of(user_data: u64) -> Kind {
        const KINDS: [Kind; 8] = [
            Kind::Accept,
            Kind::Receive,
            Kind::HastySend,
            Kind::PatientSend,
            Kind::Close,
            Kind::Wake,
            Kind::Control,
            Kind::Sync,
        ];
        KINDS[(user_data >> 56) as usize - 1]
    }
}

/// How long [`Ring::wait`] may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Until something happens.
    Forever,
    /// Until something happens, but no longer than this.
    AtMost(Duration),
    /// Not at all.
    No,
}

struct Sending {
    slot: u32,
    buffer: Vec<u8>,
    result: Option<i32>,
}

struct Patient {
    buffer: Vec<u8>,
    sent_bytes: usize,
    since: Nanos,
}

/// The ring of one thread.
pub(crate) struct Ring {
    // Dropped first: the kernel lets go of the memory below.
    uring: IoUring,
    /// What the kernel receives into.
    pub buffers: Buffers,
    hasty: Vec<Sending>,
    patient: HashMap<u32, Patient>,
    clock: Clock,
}

impl Ring {
    /// A ring with a file table of `slot_count` sockets; used by the thread that makes it alone.
    ///
    /// # Errors
    /// When the kernel has no such ring, or not the memory for it.
    pub(crate) fn new(slot_count: u32) -> io::Result<Ring> {
        let uring = build(true).or_else(|_| build(false))?;
        uring.submitter().register_files_sparse(slot_count)?;
        let buffers = Buffers::new(&uring)?;
        Ok(Ring { uring, buffers, hasty: Vec::new(), patient: HashMap::new(), clock: Clock::of_process() })
    }

    /// The descriptor that other threads ring at.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.uring.as_raw_fd()
    }

    /// Starts accepting on `listener`, which stays open as long as the ring.
    pub(crate) fn accept(&mut self, socket: RawFd, listener: u32) {
        let flags = libc::SOCK_CLOEXEC;
        self.push(&opcode::AcceptMulti::new(Fd(socket)).flags(flags).build().user_data(Kind::Accept.tag(listener)));
    }

    /// Stops accepting on `listener`.
    pub(crate) fn cancel_accept(&mut self, listener: u32) {
        self.cancel(Kind::Accept.tag(listener));
    }

    /// Puts an accepted socket into the file table.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub(crate) fn adopt(&mut self, socket: &OwnedFd, slot: u32) -> io::Result<()> {
        self.uring.submitter().register_files_update(slot, &[socket.as_raw_fd()]).map(drop)
    }

    /// Starts receiving on the socket at `slot`.
    pub(crate) fn receive(&mut self, slot: u32) {
        self.push(&opcode::RecvMulti::new(Fixed(slot), GROUP).build().user_data(Kind::Receive.tag(slot)));
    }

    /// Stops receiving; ends in [`Event::ReceiveEnded`].
    pub(crate) fn cancel_receive(&mut self, slot: u32) {
        self.cancel(Kind::Receive.tag(slot));
    }

    /// Sends `buffer` whole on the socket at `slot`.
    #[inline]
    pub(crate) fn send(&mut self, slot: u32, buffer: Vec<u8>) {
        let tag = Kind::HastySend.tag(self.hasty.len() as u32);
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | libc::MSG_WAITALL;
        let length = buffer.len().min(SEND_BYTES_MAX) as u32;
        let send = opcode::Send::new(Fixed(slot), buffer.as_ptr(), length).flags(flags).build();
        self.hasty.push(Sending { slot, buffer, result: None });
        self.push(&send.flags(squeue::Flags::SKIP_SUCCESS).user_data(tag));
    }

    /// Ends both directions of the socket at `slot`, so that what is in flight on it ends.
    pub(crate) fn shut_down(&mut self, slot: u32) {
        let shutdown = opcode::Shutdown::new(Fixed(slot), libc::SHUT_RDWR).build();
        self.push(&shutdown.flags(squeue::Flags::SKIP_SUCCESS).user_data(Kind::Control.tag(slot)));
    }

    /// Ends what we say on the socket at `slot`, on which no send is in flight; the peer may go on.
    pub(crate) fn shut_down_sending(&mut self, slot: u32) {
        let shutdown = opcode::Shutdown::new(Fixed(slot), libc::SHUT_WR).build();
        self.push(&shutdown.flags(squeue::Flags::SKIP_SUCCESS).user_data(Kind::Control.tag(slot)));
    }

    /// Closes the socket at `slot`, on which nothing is in flight; ends in [`Event::Closed`].
    pub(crate) fn close(&mut self, slot: u32) {
        self.push(&opcode::Close::new(Fixed(slot)).build().user_data(Kind::Close.tag(slot)));
    }

    /// Makes the contents of a file durable; ends in [`Event::Synced`] with `tag`. A worker of the kernel waits for the
    /// disk, this thread does not. `file` is a plain descriptor that stays open until then.
    pub(crate) fn sync(&mut self, file: RawFd, tag: u32) {
        let sync = opcode::Fsync::new(Fd(file)).flags(FsyncFlags::DATASYNC).build();
        self.push(&sync.user_data(Kind::Sync.tag(tag)));
    }

    /// Rings at another thread's ring.
    pub(crate) fn wake(&mut self, descriptor: RawFd) {
        let message = opcode::MsgRingData::new(Fd(descriptor), 0, Kind::Wake.tag(0), None).build();
        self.push(&message.flags(squeue::Flags::SKIP_SUCCESS).user_data(Kind::Control.tag(0)));
    }

    /// Whether the kernel has something for us that the next [`Ring::wait`] will bring.
    pub(crate) fn has_news(&mut self) -> bool {
        let taskrun = self.uring.submission().taskrun();
        taskrun || !self.uring.completion().is_empty()
    }

    /// Submits what was queued, sleeps until something happens, and appends all that did to `events`.
    ///
    /// # Errors
    /// When the kernel refuses the ring itself: nothing can be served then.
    pub(crate) fn wait(&mut self, sleep: Sleep, events: &mut Vec<Event>) -> io::Result<()> {
        self.enter(sleep)?;
        self.collect(events);
        while !self.is_settled() {
            self.enter(Sleep::No)?;
            self.collect(events);
        }
        self.settle_sends(events);
        Ok(())
    }

    /// Whether all submissions are taken and all completions collected.
    fn is_settled(&mut self) -> bool {
        let submissions = self.uring.submission();
        submissions.is_empty() && !submissions.cq_overflow()
    }

    fn enter(&mut self, sleep: Sleep) -> io::Result<()> {
        let entered = match sleep {
            Sleep::Forever => self.uring.submit_and_wait(1),
            Sleep::AtMost(longest) => {
                let timeout = Timespec::from(longest);
                self.uring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&timeout))
            }
            Sleep::No => self.poll(),
        };
        match entered {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Submits, and takes what is there already.
    fn poll(&mut self) -> io::Result<usize> {
        const GETEVENTS: u32 = 1;
        let queued = self.uring.submission().len() as u32;
        // SAFETY: no signal mask is passed, and what was queued follows the rules of `push`.
        unsafe { self.uring.submitter().enter::<libc::sigset_t>(queued, 0, GETEVENTS, None) }
    }

    fn collect(&mut self, events: &mut Vec<Event>) {
        let Ring { uring, buffers, hasty, patient, clock } = self;
        let mut again = None;
        for completion in uring.completion() {
            let index = completion.user_data() as u32;
            let (result, flags) = (completion.result(), completion.flags());
            match Kind::of(completion.user_data()) {
                Kind::Receive => events.push(received(buffers, index, result, flags)),
                Kind::HastySend => hasty[index as usize].result = Some(result),
                Kind::PatientSend => {
                    let sending = patient.get_mut(&index).expect("a patient send is kept until it is over");
                    let error = errno(result);
                    sending.sent_bytes += result.max(0) as usize;
                    if error.is_none() && sending.sent_bytes < sending.buffer.len() {
                        again.get_or_insert_with(Vec::new).push(index);
                        continue;
                    }
                    let Patient { buffer, since, .. } = patient.remove(&index).expect("it was there");
                    let waited = Nanos(clock.now().0.saturating_sub(since.0));
                    events.push(Event::Sent { slot: index, buffer, error, waited });
                }
                Kind::Accept => events.push(accepted(index, result, cqueue::more(flags))),
                Kind::Close => events.push(Event::Closed { slot: index }),
                Kind::Wake => events.push(Event::Woken),
                Kind::Sync => events.push(Event::Synced { tag: index, error: errno(result) }),
                Kind::Control => {}
            }
        }
        for slot in again.into_iter().flatten() {
            self.send_patiently(slot);
        }
    }

    /// Reports the sends that went through, and goes on with those that did not.
    fn settle_sends(&mut self, events: &mut Vec<Event>) {
        if self.hasty.is_empty() {
            return;
        }
        let mut hasty = std::mem::take(&mut self.hasty);
        for Sending { slot, buffer, result } in hasty.drain(..) {
            let whole = buffer.len() <= SEND_BYTES_MAX;
            let (sent_bytes, error) = match result {
                None => (buffer.len().min(SEND_BYTES_MAX), None),
                Some(result) => (result.max(0) as usize, errno(result)),
            };
            let is_cut = error == Some(Errno::AGAIN) || error.is_none() && (!whole || sent_bytes < buffer.len());
            if is_cut {
                self.patient.insert(slot, Patient { buffer, sent_bytes, since: self.clock.now() });
                self.send_patiently(slot);
            } else {
                events.push(Event::Sent { slot, buffer, error, waited: Nanos(0) });
            }
        }
        self.hasty = hasty;
    }

    fn send_patiently(&mut self, slot: u32) {
        let sending = &self.patient[&slot];
        let rest = &sending.buffer[sending.sent_bytes..];
        let length = rest.len().min(SEND_BYTES_MAX) as u32;
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        let send = opcode::Send::new(Fixed(slot), rest.as_ptr(), length).flags(flags).build();
        self.push(&send.user_data(Kind::PatientSend.tag(slot)));
    }

    fn cancel(&mut self, user_data: u64) {
        let cancel = opcode::AsyncCancel2::new(CancelBuilder::user_data(user_data)).build();
        self.push(&cancel.user_data(Kind::Control.tag(0)));
    }

    #[inline]
    fn push(&mut self, entry: &squeue::Entry) {
        loop {
            // SAFETY: the entries of this file point to memory that the ring owns until the operation is over
            // (`hasty`, `patient`, `buffers`), or to none.
            if unsafe { self.uring.submission().push(entry) }.is_ok() {
                return;
            }
            // A full queue is handed over early; an error shows again at the next wait.
            let _ = self.uring.submit();
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The kernel tears a ring down in its own time: what it may still read is never freed.
        std::mem::forget(std::mem::take(&mut self.hasty));
        std::mem::forget(std::mem::take(&mut self.patient));
    }
}

/// Finds out whether the kernel has what a [`Ring`] needs.
///
/// # Errors
/// What the kernel says.
pub(crate) fn probe() -> io::Result<()> {
    build(false).map(drop)
}

/// Rings at threads from threads that have no ring of their own.
pub(crate) struct Ringer(Mutex<IoUring>);

impl Ringer {
    /// A ringer.
    ///
    /// # Errors
    /// When the kernel has no ring for it.
    pub(crate) fn new() -> io::Result<Ringer> {
        IoUring::new(8).map(|uring| Ringer(Mutex::new(uring)))
    }

    /// Rings at the thread whose ring is `descriptor`.
    ///
    /// # Panics
    /// When the kernel refuses the ring itself: threads could sleep for ever.
    pub(crate) fn ring(&self, descriptor: RawFd) {
        let mut uring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let message = opcode::MsgRingData::new(Fd(descriptor), 0, Kind::Wake.tag(0), None).build();
        // SAFETY: the entry points to no memory.
        let pushed = unsafe { uring.submission().push(&message) };
        pushed.expect("each entry is taken before the next is made");
        loop {
            match uring.submit_and_wait(1) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => panic!("the ring to ring from is lost: {error}"),
            }
        }
        uring.completion().for_each(drop);
    }
}

/// Rings at all of `descriptors`, from a thread that has no ring of its own.
///
/// # Errors
/// When no ring can be made to ring from.
pub(crate) fn ring_all(descriptors: impl Iterator<Item = RawFd>) -> io::Result<()> {
    let ringer = Ringer::new()?;
    descriptors.for_each(|descriptor| ringer.ring(descriptor));
    Ok(())
}

/// Most bytes of one send operation: its length is 32 bits and its result a signed number.
const SEND_BYTES_MAX: usize = 1 << 30;

fn build(newest: bool) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_submit_all().setup_cqsize(COMPLETION_COUNT);
    builder.setup_taskrun_flag();
    if newest {
        builder.setup_no_sqarray();
    }
    builder.build(SUBMISSION_COUNT)
}

fn errno(result: i32) -> Option<Errno> {
    (result < 0).then(|| Errno::from_raw_os_error(-result))
}

#[inline]
fn received(buffers: &mut Buffers, slot: u32, result: i32, flags: u32) -> Event {
    if result > 0 {
        let piece = buffers.take(flags, result as u32);
        return Event::Received { slot, piece, is_armed: cqueue::more(flags) };
    }
    debug_assert!(!cqueue::more(flags), "a receive ends with its failure");
    Event::ReceiveEnded { slot, error: errno(result) }
}

fn accepted(listener: u32, result: i32, is_armed: bool) -> Event {
    if let Some(error) = errno(result) {
        return Event::AcceptFailed { listener, error, is_armed };
    }
    // SAFETY: a successful accept hands us a descriptor that nobody else has.
    let socket = unsafe { OwnedFd::from_raw_fd(result) };
    Event::Accepted { listener, socket, is_armed }
}
