//! Stopping: by signal and by SHUTDOWN, idle and at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use locksley_tests::client::{Client, request};
use locksley_tests::limits::PATIENCE;
use locksley_tests::server::{Launch, Server};
use locksley_tests::wait::until;

/// Clients that work until the server goes away.
struct Load {
    is_over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    workers: Vec<thread::JoinHandle<()>>,
}

impl Load {
    fn start(server: &Server) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicU64::new(0));
        let address = server.address();
        let workers = (0..4)
            .map(|worker| {
                let (is_over, done) = (Arc::clone(&is_over), Arc::clone(&done));
                thread::spawn(move || {
                    let Ok(mut client) = Client::connect(address) else { return };
                    let mut number = 0_u64;
                    while !is_over.load(Ordering::Relaxed) {
                        number += 1;
                        let key = format!("key:{worker}:{}", number % 100);
                        let bytes = request(&["SET", &key, &number.to_string()]).repeat(16);
                        if client.send_raw(&bytes).is_err() || (0..16).any(|_| client.read_within(PATIENCE).is_err()) {
                            return;
                        }
                        done.fetch_add(16, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let load = Self { is_over, done, workers };
        until("the load is on", || load.done.load(Ordering::Relaxed) > 1_000);
        load
    }

    fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.join().expect("a worker does not panic");
        }
    }
}

#[test]
fn signals_stop_an_idle_server_with_status_zero() {
    for name in ["TERM", "INT"] {
        let server = Launch::subject().shards(2).start();
        let mut client = server.connect();
        client.command("SET key value");
        let ended = server.stop(name);
        assert_eq!(ended.status.code(), Some(0), "SIG{name}: {}", ended.output);
        assert!(client.read_to_close().is_empty());
    }
}

#[test]
fn signals_stop_a_server_at_work_with_status_zero() {
    for name in ["TERM", "INT"] {
        let server = Launch::subject().shards(2).start();
        let load = Load::start(&server);
        let ended = server.stop(name);
        assert_eq!(ended.status.code(), Some(0), "SIG{name}: {}", ended.output);
        load.end();
    }
}

#[test]
fn shutdown_stops_the_server_without_an_answer() {
    for words in ["SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN NOW", "SHUTDOWN NOSAVE FORCE"] {
        let mut server = Launch::subject().shards(2).start();
        let mut client = server.connect();
        client.send(&words.split(' ').collect::<Vec<_>>()).expect("the server reads");
        assert!(client.read_to_close().is_empty(), "{words}");
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "{words}: {}", ended.output);
    }
}

#[test]
fn shutdown_stops_a_server_at_work() {
    let mut server = Launch::subject().shards(2).start();
    let load = Load::start(&server);
    server.connect().send(&["SHUTDOWN", "NOSAVE"]).expect("the server reads");
    assert_eq!(server.wait().status.code(), Some(0));
    load.end();
}

#[test]
fn the_port_is_free_again_at_once() {
    let server = Launch::subject().shards(2).start();
    let port = server.port();
    let mut client = server.connect();
    client.command("PING");
    assert_eq!(server.stop("TERM").status.code(), Some(0));
    let mut again = Launch::subject().shards(2).port(port).start();
    again.assert_serves();
}
