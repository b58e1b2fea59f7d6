//! Ctrl-C while operations run: once detaches, twice asks AWS to stop them.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws::Aws;
use deployer::ports::StackSets;

use crate::progress::Display;

/// How long a second Ctrl-C is waited for.
const SECOND: Duration = Duration::from_secs(5);

/// Whether a command deals with Ctrl-C itself.
static CLAIMED: AtomicBool = AtomicBool::new(false);

/// Whether a command deals with Ctrl-C itself.
pub(crate) fn is_claimed() -> bool {
    CLAIMED.load(Ordering::SeqCst)
}

/// Does some work, unless Ctrl-C comes first. Operations that run then go on: what they are and how
/// to go on with them is printed. `None` if it was interrupted.
pub(crate) async fn detachable<T>(
    cloud: &Aws,
    display: &Display,
    work: impl Future<Output = T>,
) -> Option<T> {
    CLAIMED.store(true, Ordering::SeqCst);
    let result = tokio::select! {
        // Listens before the work begins: a signal that comes in between would be lost.
        biased;
        _ = tokio::signal::ctrl_c() => None,
        result = work => Some(result),
    };
    if result.is_none() {
        detach(cloud, display).await;
    }
    CLAIMED.store(false, Ordering::SeqCst);
    result
}

async fn detach(cloud: &Aws, display: &Display) {
    let running = display.running();
    eprintln!("\ninterrupted; run the same command again to go on");
    if running.is_empty() {
        return;
    }
    for (stack_set, operation) in &running {
        eprintln!("  operation {operation} of {stack_set} goes on by itself");
    }
    eprintln!(
        "hint: Ctrl-C again within {} seconds asks AWS to stop",
        SECOND.as_secs()
    );
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = tokio::time::sleep(SECOND) => return,
    }
    for (stack_set, operation) in &running {
        match cloud.stop_operation(stack_set, operation).await {
            Ok(()) => eprintln!(
                "  operation {operation} of {stack_set} is being stopped; stacks that are being \
                 worked on are finished first"
            ),
            Err(error) => eprintln!("  operation {operation} of {stack_set}: {error}"),
        }
    }
}
