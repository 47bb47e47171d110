//! The programs of `docs/recipes/`, which assert what they show, each against a server of its own.

use std::ffi::OsStr;
use std::fs;

use locksley_tests::binary::{Kind, subject, workspace};
use locksley_tests::python::run_python;
use locksley_tests::server::Launch;

/// Where they are.
const DIRECTORY: &str = "docs/recipes";
/// What they share, which is no recipe.
const SHARED: &str = "shop.py";

/// The recipes by name.
fn recipes() -> Vec<String> {
    let directory = workspace().join(DIRECTORY);
    let mut names: Vec<String> = fs::read_dir(&directory)
        .expect("the recipes are there")
        .map(|entry| entry.expect("they can be listed").path())
        .filter(|path| path.extension() == Some(OsStr::new("py")) && !path.ends_with(SHARED))
        .map(|path| path.file_name().expect("it has an extension").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Runs every recipe against a server that `launch` starts.
fn run_all(launch: &Launch) {
    if subject().0 == Kind::Redis {
        println!("skipped: redis-server has no leases and locks");
        return;
    }
    for name in recipes() {
        let mut server = launch.clone().start();
        let printed = run_python(format!("{DIRECTORY}/{name}"), &["--port", &server.port().to_string()]);
        println!("--- {name}\n{printed}");
        assert!(printed.lines().count() > 1, "{name} says nothing");
        server.assert_lives();
    }
}

#[test]
fn one_shard_does_what_the_recipes_show() {
    run_all(&Launch::subject().shards(1));
}

#[test]
fn two_shards_that_hold_replies_do_what_the_recipes_show() {
    run_all(&Launch::subject().shards(2).durable("always"));
}

#[test]
fn every_recipe_is_named_in_the_documentation() {
    let page = fs::read_to_string(workspace().join("docs/cache.md")).expect("the page is there");
    for name in recipes() {
        assert!(page.contains(&format!("recipes/{name}")), "docs/cache.md does not name {name}");
    }
}
