//! Ctrl-C while operations run: once detaches, twice asks AWS to stop them.

use std::future::Future;
use std::time::Duration;

use aws::Aws;
use deployer::ports::StackSets;

use crate::environment::Environment;
use crate::progress::Display;

/// How long a second Ctrl-C is waited for.
const SECOND: Duration = Duration::from_secs(5);

/// Does some work, unless Ctrl-C comes first. Operations that run then continue by themselves; what
/// they are and how to resume is printed. `None` if it was interrupted.
pub(crate) async fn detachable<T>(
    environment: &Environment,
    cloud: &Aws,
    display: &Display,
    work: impl Future<Output = T>,
) -> Option<T> {
    let _claim = environment.interrupts().claim();
    let result = tokio::select! {
        // Listens before the work begins: a signal that comes in between would be lost.
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
    for (stack_set, operation) in &running {
        environment.note(format_args!(
            "  operation {operation} of {stack_set} continues by itself"
        ));
    }
    environment.note(format_args!(
        "hint: Ctrl-C again within {} seconds asks AWS to stop",
        SECOND.as_secs()
    ));
    tokio::select! {
        () = environment.interrupts().next() => {}
        () = tokio::time::sleep(SECOND) => return,
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
