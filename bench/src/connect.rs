//! Connections, made one by one and ready to be handed to client threads.
//!
//! Here a server that is not there, wants a password, speaks another protocol or is no cluster is found out and told
//! in one sentence, before any load.

use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    os::fd::OwnedFd,
    time::Duration,
};

use locksley_wire::{
    resp::{Node, Nodes, Protocol, Reply, measure},
    slot::SLOT_COUNT,
};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::{
    dialect::{Dialect, Outcome},
    keys::SlotOwners,
    latency::Kind,
    options::ProtocolName,
    plan::Plan,
};

/// How long a server may take to accept or to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// Descriptors that are needed beside the connections.
const DESCRIPTORS_SPARE: u64 = 64;

/// Who authenticates to memcached unless told otherwise.
const USER_DEFAULT: &str = "default";

/// Most of a refusal's text that is shown.
const REFUSAL_BYTES_MAX: usize = 300;

/// A connection that is ready for requests.
#[derive(Debug)]
pub(crate) struct Socket {
    /// The socket.
    pub(crate) descriptor: OwnedFd,
    /// The cluster node at its other end; 0 without a cluster.
    pub(crate) node: u16,
}

/// The servers to put under load.
#[derive(Debug)]
pub(crate) struct Targets {
    addresses: Vec<(String, u16)>,
    /// Which of them owns which slot, with `--cluster`.
    pub(crate) owners: Option<SlotOwners>,
}

impl Targets {
    /// How many servers there are.
    pub(crate) fn count(&self) -> usize {
        self.addresses.len()
    }

    /// Finds the servers of `plan`: the one that it names, or the nodes of the cluster that that one tells of.
    pub(crate) fn find(dialect: &impl Dialect, plan: &Plan) -> Result<Self, String> {
        raise_descriptor_limit(plan.options.connections as u64)?;
        let named = (plan.options.host.clone(), plan.port);
        let mut stream = open(plan, &named)?;
        if !plan.options.cluster {
            greet(dialect, plan, &mut stream)?;
            return Ok(Self { addresses: vec![named], owners: None });
        }
        let reply = ask(&mut stream, &[b"CLUSTER", b"SLOTS"])?;
        let (addresses, owners) = read_slots(&reply, &plan.options.host)?;
        if plan.options.connections < addresses.len() {
            return Err(format!(
                "--connections {} is less than the {} nodes",
                plan.options.connections,
                addresses.len()
            ));
        }
        Ok(Self { addresses, owners: Some(owners) })
    }

    /// Opens all connections, spread evenly over nodes and threads.
    pub(crate) fn connect(&self, plan: &Plan) -> Result<Vec<Vec<Socket>>, String> {
        let threads = plan.options.threads;
        let mut crews: Vec<Vec<Socket>> = (0..threads).map(|_| Vec::new()).collect();
        for index in 0..plan.options.connections {
            let node = index / threads % self.addresses.len();
            let stream = open(plan, &self.addresses[node])?;
            crews[index % threads].push(Socket { descriptor: stream.into(), node: node as u16 });
        }
        Ok(crews)
    }
}

/// Lets this process have a descriptor for every connection.
fn raise_descriptor_limit(connections: u64) -> Result<(), String> {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = connections + DESCRIPTORS_SPARE;
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    limit.current = Some(wanted);
    setrlimit(Resource::Nofile, limit)
        .map_err(|_| format!("--connections {connections} needs more open files than `ulimit -n` allows"))
}

/// A connection that is past its authentication.
fn open(plan: &Plan, address: &(String, u16)) -> Result<TcpStream, String> {
    let (host, port) = address;
    let name = format!("{host}:{port}");
    let resolved = (host.as_str(), *port).to_socket_addrs().map_err(|error| format!("cannot find {name}: {error}"))?;
    let mut last_error = None;
    for candidate in resolved {
        match TcpStream::connect_timeout(&candidate, ANSWER_TIME_MAX) {
            Ok(mut stream) => {
                prepare(plan, &mut stream).map_err(|error| format!("{name}: {error}"))?;
                return Ok(stream);
            }
            Err(error) => last_error = Some(error),
        }
    }
    let reason = last_error.map_or_else(|| "no address".to_owned(), |error| error.to_string());
    Err(format!("cannot connect to {name}: {reason}; is the server running, and is --port right?"))
}

fn prepare(plan: &Plan, stream: &mut TcpStream) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    stream.set_nodelay(true).map_err(text)?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX)).map_err(text)?;
    let options = &plan.options;
    if let Some(password) = &options.password {
        match options.protocol {
            ProtocolName::Resp2 | ProtocolName::Resp3 => {
                let credentials: Vec<&[u8]> = options.user.iter().chain([password]).map(String::as_bytes).collect();
                ask(stream, &[&[&b"AUTH"[..]], &credentials[..]].concat())?;
            }
            ProtocolName::MemcachedText | ProtocolName::MemcachedMeta => {
                give_token(stream, options.user.as_deref().unwrap_or(USER_DEFAULT), password)?;
            }
            // Each request brings its own.
            ProtocolName::Http => {}
        }
    }
    if options.protocol == ProtocolName::Resp3 {
        ask(stream, &[b"HELLO", b"3"])?;
    }
    Ok(())
}

/// Authenticates as memcached wants it: by a `set` of any key to user and password.
fn give_token(stream: &mut TcpStream, user: &str, password: &str) -> Result<(), String> {
    let request = format!("set auth 0 0 {}\r\n{user} {password}\r\n", user.len() + 1 + password.len());
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let reply = read_until(stream, |reply| Ok(reply.contains(&b'\n')))?;
    if reply != b"STORED\r\n" {
        return Err(format!("the server refused --password: {}", reply.trim_ascii_end().escape_ascii()));
    }
    Ok(())
}

/// Makes sure, by one read, that the other end speaks the protocol and serves this client.
fn greet(dialect: &impl Dialect, plan: &Plan, stream: &mut TcpStream) -> Result<(), String> {
    let mut key = plan.shape.buffer();
    plan.shape.spell(0, &mut key);
    let mut request = Vec::new();
    dialect.read(&key, &mut request);
    stream.write_all(&request).map_err(|error| error.to_string())?;
    let head = |reply: &[u8]| {
        let head = dialect.reply(Kind::Read, reply);
        head.map_err(|error| format!("the server does not speak {}: {error}", plan.options.protocol.text()))
    };
    let reply = read_until(stream, |reply| Ok(head(reply)?.is_some_and(|head| head.bytes <= reply.len())))?;
    match head(&reply)? {
        Some(head) if head.outcome == Outcome::Refused => {
            let text = &reply[head.body_start..][..head.body_bytes.min(REFUSAL_BYTES_MAX)];
            Err(format!("the server refused to be read from: {}", text.trim_ascii_end().escape_ascii()))
        }
        _ => Ok(()),
    }
}

/// The reply to one request, which is not an error.
fn ask(stream: &mut TcpStream, args: &[&[u8]]) -> Result<Vec<u8>, String> {
    let mut request = Vec::new();
    let mut encoder = Reply::new(&mut request, Protocol::Resp2);
    encoder.array(args.len());
    for arg in args {
        encoder.bulk(arg);
    }
    stream.write_all(&request).map_err(|error| error.to_string())?;
    let is_whole = |reply: &[u8]| match measure(reply) {
        Ok(length) => Ok(length.is_some()),
        Err(malformed) => Err(format!("the server does not speak RESP: {malformed}")),
    };
    let reply = read_until(stream, is_whole)?;
    match Nodes::new(&reply).next_node() {
        Ok(Some(Node::Error(text))) => {
            Err(format!("the server refused {}: {}", args[0].escape_ascii(), text.escape_ascii()))
        }
        _ => Ok(reply),
    }
}

/// Reads until the bytes so far are whole.
fn read_until(stream: &mut TcpStream, is_whole: impl Fn(&[u8]) -> Result<bool, String>) -> Result<Vec<u8>, String> {
    let mut reply = Vec::new();
    let mut piece = [0; 4096];
    while !is_whole(&reply)? {
        match stream.read(&mut piece) {
            Ok(0) => return Err("the server closed the connection at once".to_owned()),
            Ok(length) => reply.extend_from_slice(&piece[..length]),
            Err(error) => return Err(format!("no answer: {error}")),
        }
    }
    Ok(reply)
}

type Addresses = Vec<(String, u16)>;

/// The nodes and their slots, as `CLUSTER SLOTS` tells them.
fn read_slots(reply: &[u8], named_host: &str) -> Result<(Addresses, SlotOwners), String> {
    let mut nodes = Nodes::new(reply);
    let mut addresses: Addresses = Vec::new();
    let mut owners = vec![None; usize::from(SLOT_COUNT)];
    let bad = || "the reply to CLUSTER SLOTS makes no sense".to_owned();
    let mut next = || nodes.next_node().ok().flatten().ok_or_else(bad);
    let Node::Array(range_count) = next()? else {
        return Err(bad());
    };
    for _ in 0..range_count {
        let (Node::Array(field_count @ 3..), Node::Integer(first), Node::Integer(last)) = (next()?, next()?, next()?)
        else {
            return Err(bad());
        };
        let (Node::Array(part_count @ 2..), host, Node::Integer(port)) = (next()?, next()?, next()?) else {
            return Err(bad());
        };
        let host = match host {
            Node::Bulk(text) if !text.is_empty() => String::from_utf8_lossy(text).into_owned(),
            _ => named_host.to_owned(),
        };
        let address = (host, u16::try_from(port).map_err(|_| bad())?);
        let node = addresses.iter().position(|known| *known == address).unwrap_or_else(|| {
            addresses.push(address);
            addresses.len() - 1
        });
        let range = usize::try_from(first).map_err(|_| bad())?..=usize::try_from(last).map_err(|_| bad())?;
        owners.get_mut(range).ok_or_else(bad)?.fill(Some(node as u16));
        skip_nodes(&mut next, part_count - 2)?;
        // Replicas.
        skip_nodes(&mut next, field_count - 3)?;
    }
    let owners: Option<Vec<u16>> = owners.into_iter().collect();
    match owners {
        Some(owners) if !addresses.is_empty() => Ok((addresses, SlotOwners::new(owners))),
        _ => Err("the cluster does not own every slot".to_owned()),
    }
}

/// Passes over `count` nodes with all that is nested in them.
fn skip_nodes<'a>(next: &mut impl FnMut() -> Result<Node<'a>, String>, count: usize) -> Result<(), String> {
    let mut missing_count = count;
    while missing_count > 0 {
        missing_count -= 1;
        missing_count += match next()? {
            Node::Array(children) | Node::Set(children) => children,
            Node::Map(pairs) => pairs * 2,
            _ => 0,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_of_a_cluster_are_read() {
        let reply = b"*2\r\n*4\r\n:0\r\n:8191\r\n*4\r\n$9\r\n127.0.0.1\r\n:7000\r\n$2\r\nid\r\n*0\r\n\
            *3\r\n$9\r\n127.0.0.1\r\n:7009\r\n$2\r\nrr\r\n*3\r\n:8192\r\n:16383\r\n*3\r\n$0\r\n\r\n:7001\r\n$2\r\nie\r\n";
        let (addresses, owners) = read_slots(reply, "seed").expect("well-formed");
        assert_eq!(addresses, [("127.0.0.1".to_owned(), 7000), ("seed".to_owned(), 7001)]);
        // The slot of "foo" is 12182, that of "hello" 866.
        assert_eq!((owners.owner(b"foo"), owners.owner(b"hello")), (1, 0));
    }

    #[test]
    fn a_cluster_with_holes_is_refused() {
        assert!(read_slots(b"*0\r\n", "seed").is_err());
        assert!(read_slots(b"*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$1\r\nh\r\n:1\r\n", "seed").is_err());
        assert!(read_slots(b"*1\r\n*3\r\n:0\r\n:99999\r\n*2\r\n$1\r\nh\r\n:1\r\n", "seed").is_err());
        assert!(read_slots(b"+OK\r\n", "seed").is_err());
    }
}
