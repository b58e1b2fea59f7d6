//! Several commands in one process don't affect each other.

use std::thread;

use cli::{Environment, Exit, Interrupts};

use crate::project;

#[test]
fn concurrent_commands_are_independent_and_an_interrupt_ends_one() {
    let project = project();
    let (environment, served) = Environment::captured(project.path("."));
    let (interrupter, interrupts) = Interrupts::by_hand();
    let environment = environment.with_interrupts(interrupts);
    let serving = thread::spawn(move || {
        let arguments = ["gizmos", "simulator", "serve", "--port", "0"];
        cli::run(arguments, &environment)
    });
    let other = crate::project();
    other.remove("rules/iam/iam-mfa-device-removed.yaml");
    thread::scope(|scope| {
        let checks = [(&project, "16 rules"), (&other, "15 rules")].map(|(project, count)| {
            scope.spawn(move || project.run(&["check"]).expect(0).says(count))
        });
        for check in checks {
            let run = check.join().expect("a result");
            assert!(!run.all().contains("served"), "{}", run.all());
        }
    });
    while !serving.is_finished() {
        // An interrupt before the command listens is lost, like Ctrl-C before a program starts.
        interrupter.interrupt();
        thread::yield_now();
    }
    assert_eq!(serving.join().expect("an exit"), Exit::Interrupted);
    assert!(
        served.errors().contains("interrupted"),
        "{}",
        served.errors()
    );
}

#[test]
fn each_command_says_what_it_did_not_do_when_it_stops_on_diagnostics() {
    let project = project();
    project.remove("stacksets/organization.yaml");
    for (command, consequence) in [
        ("plan", "No plan was made."),
        ("deploy", "Nothing was deployed."),
        ("verify", "Nothing was verified."),
        ("drift", "Drift was not checked."),
        ("destroy", "Nothing was removed."),
        ("doctor", "The organization was not checked."),
    ] {
        let run = project.run(&[command, "--org", "--simulator"]).expect(64);
        assert!(
            run.stderr.ends_with(&format!("{consequence}\n")),
            "{}",
            run.stderr
        );
    }
    project
        .run(&["compile"])
        .expect(64)
        .says("Nothing was compiled.");
}
