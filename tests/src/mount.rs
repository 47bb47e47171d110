#![expect(unsafe_code, reason = "the ioctl that cuts a file system's power takes a pointer")]
//! File systems of their own for a test: a small one that fills up, and one whose power can be cut.
//!
//! Mounting needs privileges that not every machine gives; then there is a sentence that says why, and the test that
//! wanted it prints it and is over.
//!
//! A cut is the ioctl `EXT4_IOC_SHUTDOWN` with the flag that lets not even the journal out: from then on every write and
//! every sync fails, and what had not reached the image is gone. The image's own journal is replayed at the next mount,
//! as after a loss of power.
//!
//! Source: ext4 in the kernel, `fs/ext4/ioctl.c`; mount(8), losetup(8).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::ioctl::{Setter, ioctl, opcode};

use crate::directory::Directory;

/// `EXT4_IOC_SHUTDOWN`.
const SHUTDOWN: rustix::ioctl::Opcode = opcode::read::<u32>(b'X', 125);
/// `EXT4_GOING_FLAGS_NOLOGFLUSH`: what was not written yet stays unwritten.
const WITHOUT_LOG_FLUSH: u32 = 2;

/// A mounted file system; unmounted with the value.
#[derive(Debug)]
pub struct Mount {
    /// The image, if it is one.
    image: Option<PathBuf>,
    point: PathBuf,
    is_mounted: bool,
    /// Holds image and mount point.
    _directory: Directory,
}

impl Mount {
    /// A file system in memory that holds so many bytes.
    ///
    /// # Errors
    ///
    /// Why the machine does not let us.
    pub fn memory(bytes: u64) -> Result<Self, String> {
        let directory = Directory::new();
        let point = directory.path().join("mount");
        fs::create_dir(&point).map_err(|error| error.to_string())?;
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(&point))?;
        Ok(Self { image: None, point, is_mounted: true, _directory: directory })
    }

    /// An ext4 file system of so many bytes in a file.
    ///
    /// # Errors
    ///
    /// Why the machine does not let us.
    pub fn ext4(bytes: u64) -> Result<Self, String> {
        let directory = Directory::new();
        let (image, point) = (directory.path().join("image"), directory.path().join("mount"));
        fs::create_dir(&point).map_err(|error| error.to_string())?;
        File::create(&image).and_then(|file| file.set_len(bytes)).map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let mut mount = Self { image: Some(image), point, is_mounted: false, _directory: directory };
        mount.mount()?;
        Ok(mount)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.point
    }

    /// Takes the power away: nothing reaches the image any more.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn cut_power(&self) -> Result<(), String> {
        let root = File::open(&self.point).map_err(|error| error.to_string())?;
        // SAFETY: the opcode reads a u32, which is what the value is.
        let flag = unsafe { Setter::<SHUTDOWN, u32>::new(WITHOUT_LOG_FLUSH) };
        // SAFETY: the request changes no memory of this process.
        unsafe { ioctl(&root, flag) }.map_err(|error| error.to_string())
    }

    /// Unmounts and mounts it again, as a machine does that starts; nobody may have a file of it open.
    ///
    /// # Errors
    ///
    /// What the commands say.
    pub fn restart(&mut self) -> Result<(), String> {
        self.unmount()?;
        self.mount()
    }

    fn mount(&mut self) -> Result<(), String> {
        let image = self.image.as_ref().expect("a file system in memory is mounted once");
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(image).arg(&self.point))?;
        self.is_mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<(), String> {
        run(Command::new("umount").arg(&self.point))?;
        self.is_mounted = false;
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.is_mounted && self.unmount().is_err() {
            // Somebody still has a file open: it goes away with that.
            let _ = run(Command::new("umount").arg("-l").arg(&self.point));
        }
    }
}

/// Runs a command to its end.
fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
