//! The Locksley server.

mod client;
mod command;
mod config;
mod observe;
mod thread;

fn main() {
    println!("{} commands", command::table::table().entries().len());
}
