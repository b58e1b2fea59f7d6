//! Ctrl-C while operations run: once detaches, twice asks AWS to stop them.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use aws::Aws;
use deployer::ports::StackSets;

use crate::environment::Environment;
use crate::progress::Display;

/// Time to wait for a second Ctrl-C.
const SECOND: Duration = Duration::from_secs(5);

/// Runs work until it ends or Ctrl-C is pressed. Operations running at that time continue on their
/// own; their ids and how to resume are printed. `None` if it was interrupted.
pub(crate) async fn detachable<T>(
    environment: &Environment,
    cloud: &Aws,
    display: &Display,
    work: impl Future<Output = T>,
) -> Option<T> {
    let _claim = environment.interrupts().claim();
    let result = tokio::select! {
        // Listen for the signal before the work starts, so that none gets lost in between.
        biased;
        () = environment.interrupts().next() => None,
        result = work => Some(result),
    };
    if result.is_none() {
        detach(environment, cloud, display).await;
    }
    result
}

async fn detach(environment: &Environment, cloud: &Aws, display: &Display) {
    let running = display.running();
    environment.note("\ninterrupted; run the same command again to continue");
    if running.is_empty() {
        return;
    }
    // Listens before the hint invites a second Ctrl-C: one that comes at once must not get lost.
    let mut second = pin!(environment.interrupts().next());
    let is_second = tokio::select! {
        biased;
        () = &mut second => true,
        () = std::future::ready(()) => false,
    };
    for (stack_set, operation) in &running {
        environment.note(format_args!(
            "  operation {operation} of {stack_set} continues on its own"
        ));
    }
    environment.note(format_args!(
        "hint: Ctrl-C again within {} seconds asks AWS to stop",
        SECOND.as_secs()
    ));
    if !is_second && tokio::time::timeout(SECOND, second).await.is_err() {
        return;
    }
    for (stack_set, operation) in &running {
        match cloud.stop_operation(stack_set, operation).await {
            Ok(()) => environment.note(format_args!(
                "  operation {operation} of {stack_set} is being stopped; stacks that are being \
                 worked on are finished first"
            )),
            Err(error) => {
                environment.note(format_args!(
                    "  operation {operation} of {stack_set}: {error}"
                ));
            }
        }
    }
}
