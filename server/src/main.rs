//! The Locksley server.

mod client;
mod command;
mod config;
mod limits;
mod observe;
mod pause;
mod thread;

fn main() {
    println!("{} commands", command::table::table().entries().len());
}
