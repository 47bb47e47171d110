#![expect(unsafe_code, reason = "submissions name memory that the kernel reads")]
//! The sockets of one thread behind one `io_uring`, as sends and arrivals.
//!
//! Receiving is armed once a connection and yields a completion for whatever arrives; a send owns its bytes
//! until it is done. One system call submits all that was asked for and fetches all that happened.
//!
//! Invariants:
//! - a connection has at most one send in flight;
//! - the bytes of a send neither move nor go away before its completion: [`Ring`] holds them, and leaks them
//!   if it is dropped before.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use crate::buffers::{Buffers, GROUP};

/// Most requests to the kernel that are queued before a system call.
const SUBMISSION_COUNT_MAX: u32 = 4096;

/// How a ring is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingOptions {
    /// Buffers for arriving bytes, a power of two.
    pub(crate) buffer_count: u16,
    /// Bytes of each.
    pub(crate) buffer_bytes: usize,
}

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// All bytes were handed over; here is their buffer back.
    Sent(Vec<u8>),
    /// Bytes arrived.
    Received(&'a [u8]),
    /// The server closed the connection.
    Closed,
    /// The connection failed.
    Failed(io::Error),
}

#[derive(Debug)]
struct Sending {
    bytes: Vec<u8>,
    sent_bytes: usize,
}

/// An `io_uring` with its sockets.
pub(crate) struct Ring {
    io: Option<IoUring>,
    buffers: Buffers,
    sockets: Vec<OwnedFd>,
    sending: Vec<Option<Sending>>,
    /// Connections whose receive has to be armed.
    unarmed: Vec<u32>,
    /// Connections whose send has to be submitted.
    unsent: Vec<u32>,
}

const RECEIVE: u64 = 0;
const SEND: u64 = 1;

impl Ring {
    /// A ring for `sockets`, used by the thread that makes it.
    pub(crate) fn new(sockets: Vec<OwnedFd>, options: RingOptions) -> io::Result<Self> {
        let entries = (sockets.len() as u32 * 2).next_power_of_two().clamp(64, SUBMISSION_COUNT_MAX);
        let io =
            IoUring::builder().setup_single_issuer().setup_defer_taskrun().setup_cqsize(entries * 4).build(entries)?;
        let descriptors: Vec<i32> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
        io.submitter().register_files(&descriptors)?;
        let buffers = Buffers::register(&io, options.buffer_count, options.buffer_bytes)?;
        let sending = sockets.iter().map(|_| None).collect();
        let unarmed = (0..sockets.len() as u32).collect();
        Ok(Self { io: Some(io), buffers, sockets, sending, unarmed, unsent: Vec::new() })
    }

    /// How many connections there are.
    pub(crate) fn connection_count(&self) -> usize {
        self.sockets.len()
    }

    /// Sends `bytes`, which come back as [`Event::Sent`].
    ///
    /// # Panics
    /// If a send is in flight on that connection.
    #[inline]
    pub(crate) fn send(&mut self, connection: usize, bytes: Vec<u8>) {
        assert!(self.sending[connection].is_none(), "one send at a time");
        debug_assert!(!bytes.is_empty());
        self.sending[connection] = Some(Sending { bytes, sent_bytes: 0 });
        self.unsent.push(connection as u32);
    }

    /// Submits what was asked for and waits until something happened, or for `timeout` at most.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.submit_all()?;
        let io = self.io.as_ref().expect("there until dropped");
        let done = match timeout {
            None => io.submitter().submit_and_wait(1),
            Some(timeout) => {
                let timeout = types::Timespec::from(timeout);
                io.submitter().submit_with_args(1, &types::SubmitArgs::new().timespec(&timeout))
            }
        };
        match done {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Hands every event since the last time to `handle`, with its connection.
    #[inline]
    pub(crate) fn take_events(&mut self, mut handle: impl FnMut(usize, Event<'_>)) {
        let Self { io, buffers, sending, unarmed, unsent, .. } = self;
        let io = io.as_mut().expect("there until dropped");
        for completion in io.completion() {
            let connection = (completion.user_data() >> 1) as usize;
            if completion.user_data() & 1 == SEND {
                let slot = &mut sending[connection];
                let state = slot.as_mut().expect("a completed send was in flight");
                match completion.result() {
                    result @ 0.. => {
                        state.sent_bytes += result as usize;
                        if state.sent_bytes < state.bytes.len() {
                            unsent.push(connection as u32);
                        } else if let Some(state) = slot.take() {
                            handle(connection, Event::Sent(state.bytes));
                        }
                    }
                    error => {
                        *slot = None;
                        handle(connection, Event::Failed(io::Error::from_raw_os_error(-error)));
                    }
                }
            } else {
                received(&completion, connection, buffers, unarmed, &mut handle);
            }
        }
        buffers.publish();
    }

    fn submit_all(&mut self) -> io::Result<()> {
        while let Some(connection) = self.unarmed.pop() {
            let receive = opcode::RecvMulti::new(types::Fixed(connection), GROUP).build();
            self.push(&receive.user_data(u64::from(connection) << 1 | RECEIVE))?;
        }
        while let Some(connection) = self.unsent.pop() {
            let Sending { bytes, sent_bytes } =
                self.sending[connection as usize].as_ref().expect("a send to submit has its bytes");
            let rest = &bytes[*sent_bytes..];
            let length = rest.len().min(i32::MAX as usize) as u32;
            let send = opcode::Send::new(types::Fixed(connection), rest.as_ptr(), length);
            let entry = send.flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL).build();
            self.push(&entry.user_data(u64::from(connection) << 1 | SEND))?;
        }
        Ok(())
    }

    #[inline]
    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        let io = self.io.as_mut().expect("there until dropped");
        loop {
            // SAFETY: a receive names no memory but the registered buffers; the bytes of a send are held in
            // `sending`, unchanged, until its completion was seen.
            let pushed = unsafe { io.submission().push(entry) };
            if pushed.is_ok() {
                return Ok(());
            }
            io.submitter().submit()?;
        }
    }
}

/// Hands on what arrived on a connection.
#[inline]
fn received(
    completion: &cqueue::Entry,
    connection: usize,
    buffers: &mut Buffers,
    unarmed: &mut Vec<u32>,
    handle: &mut impl FnMut(usize, Event<'_>),
) {
    let flags = completion.flags();
    match completion.result() {
        0 => handle(connection, Event::Closed),
        result @ 1.. => {
            let id = cqueue::buffer_select(flags).expect("received bytes lie in a buffer");
            handle(connection, Event::Received(buffers.bytes(id, result as usize)));
            buffers.put(id);
            if !cqueue::more(flags) {
                unarmed.push(connection as u32);
            }
        }
        // Every buffer was taken; they are free again when these events are done.
        error if -error == libc::ENOBUFS => unarmed.push(connection as u32),
        error => handle(connection, Event::Failed(io::Error::from_raw_os_error(-error))),
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Closing an io_uring cancels what is in flight some time later; until then the kernel may read.
        drop(self.io.take());
        for sending in self.sending.drain(..) {
            std::mem::forget(sending);
        }
    }
}
