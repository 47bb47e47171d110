//! docs/alerts.yml, by `promtool`.

use std::process::Command;

use locksley_tests::binary::{installed, workspace};

fn promtool(arguments: &[&str]) -> String {
    let output = Command::new(installed("promtool"))
        .args(arguments)
        .current_dir(workspace().join("docs"))
        .output()
        .expect("promtool runs");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "promtool {arguments:?}: {}\n{text}", output.status);
    text
}

#[test]
fn alert_rules_are_rules() {
    let text = promtool(&["check", "rules", "alerts.yml"]);
    assert!(text.contains("SUCCESS"), "{text}");
}

#[test]
fn alerts_are_raised_when_they_should_be() {
    let text = promtool(&["test", "rules", "alerts.test.yml"]);
    assert!(text.contains("SUCCESS"), "{text}");
}
