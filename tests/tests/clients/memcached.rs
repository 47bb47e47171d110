//! memccapable's ASCII half, pymemcache and the `memcache` crate. Each is asked of Debian's memcached too, which shows
//! whether the test itself is right.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;

use locksley_tests::binary::{Kind, subject};
use locksley_tests::memcached::Memcached;
use locksley_tests::python::run_python;
use locksley_tests::server::Launch;
use memcache::Client;

use crate::{printed_by, run};

/// Runs `check` against memcached.
fn with_memcached(check: impl FnOnce(SocketAddr)) {
    let memcached = Memcached::start::<&str>(&[]);
    check(memcached.address());
}

/// The tests that memccapable has for the ASCII protocol.
const MEMCCAPABLE_TESTS: usize = 27;

fn memccapable_is_content(address: SocketAddr) {
    let port = address.port().to_string();
    let printed = printed_by("memccapable", &["-a", "-h", "127.0.0.1", "-p", &port]);
    let passed = printed.lines().filter(|line| line.ends_with("[pass]")).count();
    assert!(printed.contains("All tests passed") && passed >= MEMCCAPABLE_TESTS, "{passed} tests:\n{printed}");
}

/// The programs of Debian's libmemcached-tools, which speak the same library.
fn the_tools_work(address: SocketAddr) {
    let servers = format!("--servers=127.0.0.1:{}", address.port());
    let file = std::env::temp_dir().join(format!("locksley-memccp-{}", address.port()));
    std::fs::write(&file, b"a file\r\nof two lines").expect("the temporary directory can be written");
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name of ASCII").to_owned();
    printed_by("memccp", &[&servers, "--set", file.to_str().expect("a path of ASCII")]);
    std::fs::remove_file(&file).expect("it was written");
    assert_eq!(printed_by("memccat", &[&servers, &name]).trim_end(), "a file\r\nof two lines");
    printed_by("memcexist", &[&servers, &name]);
    assert!(printed_by("memcstat", &[&servers]).contains("curr_items"));
    printed_by("memctouch", &[&servers, "--expire=1000", &name]);
    printed_by("memcrm", &[&servers, &name]);
    assert!(!run("memcexist", &[&servers, &name]).status.success(), "the key is there after memcrm");
    printed_by("memcflush", &[&servers]);
    printed_by("memcping", &[&servers]);
}

fn pymemcache_works(address: SocketAddr) {
    run_python("tests/clients/memcached.py", &[&address.port().to_string()]);
}

fn connect(address: SocketAddr) -> Client {
    Client::connect(format!("memcache://{address}?protocol=ascii&timeout=30")).expect("the server takes connections")
}

fn the_crate_stores_and_counts(address: SocketAddr) {
    let client = connect(address);
    client.flush().expect("flush_all");
    client.set("key", b"a\0b\r\n".as_slice(), 0).expect("set");
    let (value, flags, cas): (Vec<u8>, u32, Option<u64>) = client.get("key").expect("get").expect("it is there");
    assert_eq!((value.as_slice(), flags), (b"a\0b\r\n".as_slice(), 0));
    let cas = cas.expect("gets gives a version");
    assert!(client.cas("key", "new", 100, cas).expect("cas"));
    assert!(!client.cas("key", "newer", 100, cas).expect("cas"));
    assert_eq!(client.get::<String>("missing").expect("get"), None);
    // The crate does not say whether add and replace stored; the values do.
    client.add("key", "x", 0).expect("add");
    assert_eq!(client.get::<String>("key").expect("get").as_deref(), Some("new"));
    client.add("other", "x", 0).expect("add");
    client.replace("other", "b", 0).expect("replace");
    client.append("other", "c").expect("append");
    client.prepend("other", "a").expect("prepend");
    assert_eq!(client.get::<String>("other").expect("get").as_deref(), Some("abc"));
    client.replace("none", "x", 0).expect("replace");
    assert_eq!(client.get::<String>("none").expect("get"), None);
    client.set("counter", 40_u64, 0).expect("set");
    assert_eq!(client.increment("counter", 2).expect("incr"), 42);
    assert_eq!(client.decrement("counter", 50).expect("decr"), 0);
    assert!(client.touch("counter", 1000).expect("touch"));
    assert!(!client.touch("none", 1000).expect("touch"));
    assert!(client.delete("counter").expect("delete"));
    assert!(!client.delete("counter").expect("delete"));
    for number in 0..100 {
        client.set(&format!("many:{number}"), number, 0).expect("set");
    }
    let names: Vec<String> = (0..101).map(|number| format!("many:{number}")).collect();
    let found = client.gets::<u32>(&names.iter().map(String::as_str).collect::<Vec<_>>()).expect("gets");
    assert_eq!(found.len(), 100);
    assert!(found.iter().all(|(name, number)| *name == format!("many:{number}")));
    let versions = client.version().expect("version");
    assert!(!versions[0].1.is_empty());
    client.flush().expect("flush_all");
    assert_eq!(client.get::<String>("key").expect("get"), None);
}

/// Clients that count one key by `gets` and `cas` lose no step.
fn the_crate_counts_by_cas(address: SocketAddr) {
    const CLIENTS: u64 = 4;
    const STEPS: u64 = 200;
    connect(address).set("sum", 0_u64, 0).expect("set");
    let start = Barrier::new(CLIENTS as usize);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let client = connect(address);
                start.wait();
                for _ in 0..STEPS {
                    loop {
                        let found: Option<(u64, u32, Option<u64>)> = client.get("sum").expect("gets");
                        let (sum, _, cas) = found.expect("it stays");
                        if client.cas("sum", sum + 1, 0, cas.expect("a version")).expect("cas") {
                            break;
                        }
                    }
                }
            });
        }
    });
    assert_eq!(connect(address).get::<u64>("sum").expect("get"), Some(CLIENTS * STEPS));
}

#[test]
fn memcached_satisfies_them() {
    with_memcached(|address| {
        memccapable_is_content(address);
        the_tools_work(address);
        pymemcache_works(address);
        the_crate_stores_and_counts(address);
        the_crate_counts_by_cas(address);
    });
}

/// Runs `check` against Locksley, with one shard and with several.
fn with_subject(check: impl Fn(SocketAddr)) {
    if subject().0 == Kind::Redis {
        println!("skipped: redis-server does not speak with memcached's clients");
        return;
    }
    for shards in [1, 4] {
        let mut server = Launch::subject().memcached().shards(shards).start();
        check(server.memcached_address());
        server.assert_lives();
    }
}

#[test]
fn memccapable_passes_the_ascii_half() {
    with_subject(memccapable_is_content);
}

#[test]
fn the_programs_of_libmemcached_tools_work() {
    with_subject(the_tools_work);
}

#[test]
fn pymemcache_finds_all_it_needs() {
    with_subject(pymemcache_works);
}

#[test]
fn the_memcache_crate_finds_all_it_needs() {
    with_subject(the_crate_stores_and_counts);
    with_subject(the_crate_counts_by_cas);
}
