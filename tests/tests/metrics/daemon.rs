//! A program that runs beside the server, until the value is dropped.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use locksley_tests::binary::installed;
use locksley_tests::directory::Directory;
use locksley_tests::server::free_port;
use locksley_tests::wait::until_or;

/// A running program that answers HTTP.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    address: SocketAddr,
    directory: Directory,
}

impl Daemon {
    /// Starts an installed program with the arguments that `arguments` makes of its address and its directory, and waits
    /// until it answers at `ready`.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub(crate) fn start(program: &str, ready: &str, arguments: impl FnOnce(SocketAddr, &Path) -> Vec<String>) -> Self {
        let directory = Directory::new();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let output = fs::File::create(directory.path().join("output")).expect("the directory can be written");
        let child = Command::new(installed(program))
            .args(arguments(address, directory.path()))
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let mut daemon = Self { child, address, directory };
        until_or(|| daemon.fetch(ready, &[]).is_some(), || format!("{program} does not answer"));
        let ended = daemon.child.try_wait().expect("a child can be waited for");
        assert!(ended.is_none(), "{program} ended: {}", daemon.printed());
        daemon
    }

    /// What it answers to GET with these parameters; nothing if it does not answer, or with an error.
    pub(crate) fn fetch(&self, path: &str, parameters: &[(&str, &str)]) -> Option<String> {
        let mut command = Command::new(installed("curl"));
        command.args(["--silent", "--fail", "--max-time", "20", "--get"]);
        for (name, value) in parameters {
            command.arg("--data-urlencode").arg(format!("{name}={value}"));
        }
        let output = command.arg(format!("http://{}{path}", self.address)).output().expect("curl runs");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What it has printed so far.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(self.directory.path().join("output")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // One that has ended already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
