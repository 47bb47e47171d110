//! The floor: a server that only parses RESP and reads or writes a hash map, over io_uring.
//!
//! What Locksley costs beyond it is Locksley's own doing, so it is measured beside it. It knows GET and SET, never
//! expires, never evicts, trusts its clients, and serves one thread: `cargo run --release -p locksley-bench --example stub
//! -- 7001`.
//!
//! Ring: single issuer, deferred task work, one multishot receive a connection into a shared ring of buffers, one send a
//! connection and turn.
#![expect(unsafe_code, reason = "submissions and buffers are memory shared with the kernel")]

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};
use locksley_wire::resp::{Limits, Protocol, Reply, RequestParser, Step};

const BUFFER_COUNT: u16 = 256;
const BUFFER_BYTES: usize = 16 * 1024;
const ACCEPT: u64 = u64::MAX;
const SEND: u64 = 1 << 32;

#[derive(Default)]
struct Connection {
    partial: Vec<u8>,
    output: Vec<u8>,
    sending: Vec<u8>,
    is_sending: bool,
}

/// Receive buffers, given back to the kernel as soon as they are parsed.
struct Buffers {
    entries: Box<[Page]>,
    data: Vec<u8>,
    tail: u16,
}

#[repr(align(4096))]
struct Page(#[expect(dead_code, reason = "only the kernel reads it")] [u8; 4096]);

impl Buffers {
    fn new(ring: &IoUring) -> io::Result<Buffers> {
        let entries = (0..usize::from(BUFFER_COUNT) * 16 / 4096).map(|_| Page([0; 4096])).collect::<Box<[Page]>>();
        let mut buffers = Buffers { entries, data: vec![0; usize::from(BUFFER_COUNT) * BUFFER_BYTES], tail: 0 };
        let address = buffers.entries.as_ptr() as u64;
        // SAFETY: page-aligned, large enough, and alive as long as the process.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, BUFFER_COUNT, 0, 0) }?;
        (0..BUFFER_COUNT).for_each(|buffer| buffers.give(buffer));
        Ok(buffers)
    }

    fn give(&mut self, buffer: u16) {
        let first = self.entries.as_mut_ptr().cast::<BufRingEntry>();
        let entry = first.wrapping_add(usize::from(self.tail % BUFFER_COUNT));
        // SAFETY: the index is below the number of entries, and the kernel reads those before the tail only.
        let entry = unsafe { &mut *entry };
        entry.set_addr(self.data[usize::from(buffer) * BUFFER_BYTES..].as_ptr() as u64);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the first entry is initialised.
        let tail = unsafe { BufRingEntry::tail(first) }.cast_mut();
        // SAFETY: two aligned bytes that the kernel reads.
        unsafe { AtomicU16::from_ptr(tail) }.store(self.tail, Ordering::Release);
    }

    fn bytes(&self, buffer: u16, length: usize) -> &[u8] {
        &self.data[usize::from(buffer) * BUFFER_BYTES..][..length]
    }
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(7001);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
    let mut ring = IoUring::builder().setup_single_issuer().setup_defer_taskrun().setup_cqsize(8192).build(1024)?;
    let mut buffers = Buffers::new(&ring)?;
    let mut connections: HashMap<i32, Connection> = HashMap::new();
    let mut map = hashbrown::HashMap::new();
    push(&mut ring, &opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).build().user_data(ACCEPT));
    println!("Ready to accept connections on {port}");
    loop {
        ring.submit_and_wait(1)?;
        let completions: Vec<_> = ring.completion().map(|c| (c.user_data(), c.result(), c.flags())).collect();
        let mut touched = Vec::with_capacity(completions.len());
        for (user_data, result, flags) in completions {
            if user_data == ACCEPT {
                connections.insert(result, Connection::default());
                push(&mut ring, &receive(result));
            } else if user_data & SEND != 0 {
                let socket = (user_data & !SEND) as i32;
                if let Some(connection) = connections.get_mut(&socket) {
                    connection.is_sending = false;
                    touched.push(socket);
                }
            } else if result > 0 {
                let socket = user_data as i32;
                let buffer = cqueue::buffer_select(flags).expect("bytes come in a buffer");
                if let Some(connection) = connections.get_mut(&socket) {
                    serve(connection, buffers.bytes(buffer, result as usize), &mut map);
                    touched.push(socket);
                }
                buffers.give(buffer);
                if !cqueue::more(flags) {
                    push(&mut ring, &receive(socket));
                }
            } else if result == -libc::ENOBUFS {
                push(&mut ring, &receive(user_data as i32));
            } else {
                let socket = user_data as i32;
                // A send may still be reading its buffer, so that is never freed.
                if let Some(connection) = connections.remove(&socket) {
                    std::mem::forget(connection.sending);
                }
                push(
                    &mut ring,
                    &opcode::Close::new(Fd(socket)).build().flags(squeue::Flags::SKIP_SUCCESS).user_data(SEND),
                );
            }
        }
        for socket in touched {
            let Some(connection) = connections.get_mut(&socket) else { continue };
            if !connection.is_sending && !connection.output.is_empty() {
                connection.is_sending = true;
                std::mem::swap(&mut connection.output, &mut connection.sending);
                connection.output.clear();
                let (start, length) = (connection.sending.as_ptr(), connection.sending.len() as u32);
                let send = opcode::Send::new(Fd(socket), start, length).flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL);
                push(&mut ring, &send.build().user_data(SEND | socket as u64));
            }
        }
    }
}

fn receive(socket: i32) -> squeue::Entry {
    opcode::RecvMulti::new(Fd(socket), 0).build().user_data(socket as u64)
}

fn push(ring: &mut IoUring, entry: &squeue::Entry) {
    // SAFETY: what entries point to lives in `Buffers` or in a connection's `sending`, untouched until it is sent.
    while unsafe { ring.submission().push(entry) }.is_err() {
        ring.submit().expect("the kernel takes submissions");
    }
}

/// Answers every whole request in `bytes`, which follow those the connection kept.
fn serve(connection: &mut Connection, bytes: &[u8], map: &mut hashbrown::HashMap<Vec<u8>, Vec<u8>>) {
    let kept = std::mem::take(&mut connection.partial);
    let joined;
    let mut input = bytes;
    if !kept.is_empty() {
        joined = [kept.as_slice(), bytes].concat();
        input = &joined;
    }
    let limits = Limits::default();
    let mut spans = Vec::with_capacity(8);
    let mut parser = RequestParser::default();
    let mut reply = Reply::new(&mut connection.output, Protocol::Resp2);
    loop {
        spans.clear();
        match parser.parse(input, &limits, &mut spans) {
            Ok(Step::Request { consumed }) => {
                let name = spans[0].of(input);
                if name.eq_ignore_ascii_case(b"get") && spans.len() == 2 {
                    match map.get(spans[1].of(input)) {
                        Some(value) => reply.bulk(value),
                        None => reply.null(),
                    }
                } else if name.eq_ignore_ascii_case(b"set") && spans.len() >= 3 {
                    map.insert(spans[1].of(input).to_vec(), spans[2].of(input).to_vec());
                    reply.ok();
                } else if name.eq_ignore_ascii_case(b"ping") {
                    reply.simple("PONG");
                } else {
                    reply.error("ERR the stub knows GET, SET and PING");
                }
                input = &input[consumed..];
            }
            Ok(Step::Inline { consumed, .. } | Step::Empty { consumed }) => input = &input[consumed..],
            Ok(Step::Incomplete { .. }) => break,
            Err(error) => {
                reply.protocol_error(error);
                break;
            }
        }
    }
    input.clone_into(&mut connection.partial);
}
