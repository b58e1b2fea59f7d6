//! Ctrl-C: its source, and which part of a command handles it.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// A source of interrupts, and whether the command handles them itself.
#[derive(Debug)]
pub struct Interrupts {
    /// `None` for the process's own Ctrl-C.
    sent: Option<watch::Receiver<()>>,
    claims: AtomicUsize,
}

/// Interrupts a command that runs in this process.
#[derive(Clone, Debug)]
pub struct Interrupter(watch::Sender<()>);

impl Interrupter {
    /// Has the same effect as Ctrl-C.
    pub fn interrupt(&self) {
        self.0.send_replace(());
    }
}

impl Interrupts {
    pub(crate) fn of_process() -> Self {
        Self {
            sent: None,
            claims: AtomicUsize::new(0),
        }
    }

    pub(crate) fn never() -> Self {
        Self::by_hand().1
    }

    /// Interrupts sent by this process through an [`Interrupter`].
    pub fn by_hand() -> (Interrupter, Self) {
        let (sender, receiver) = watch::channel(());
        let interrupts = Self {
            sent: Some(receiver),
            claims: AtomicUsize::new(0),
        };
        (Interrupter(sender), interrupts)
    }

    /// Returns at the next interrupt after the first poll.
    pub(crate) async fn next(&self) {
        let heard = match &self.sent {
            None => tokio::signal::ctrl_c().await.is_ok(),
            Some(sent) => {
                let mut sent = sent.clone();
                sent.mark_unchanged();
                sent.changed().await.is_ok()
            }
        };
        // Without a signal handler or sender, no interrupt ever comes.
        if !heard {
            std::future::pending::<()>().await;
        }
    }

    /// Returns at an interrupt that no command has claimed.
    pub(crate) async fn unclaimed(&self) {
        loop {
            self.next().await;
            if self.claims.load(Ordering::SeqCst) == 0 {
                return;
            }
        }
    }

    /// While the claim lives, the caller handles interrupts.
    pub(crate) fn claim(&self) -> Claim<'_> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        Claim(self)
    }
}

/// Keeps an interrupt from ending the program.
#[derive(Debug)]
pub(crate) struct Claim<'a>(&'a Interrupts);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0.claims.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an interrupt ends a command.
    async fn ends(interrupter: &Interrupter, interrupts: &Interrupts) -> bool {
        tokio::select! {
            biased;
            () = interrupts.unclaimed() => true,
            () = async {
                interrupter.interrupt();
                // Lets the other branch receive it.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            } => false,
        }
    }

    #[tokio::test]
    async fn an_unclaimed_interrupt_ends_the_command() {
        let (interrupter, interrupts) = Interrupts::by_hand();
        assert!(ends(&interrupter, &interrupts).await);
        let claim = interrupts.claim();
        assert!(!ends(&interrupter, &interrupts).await);
        drop(claim);
        assert!(ends(&interrupter, &interrupts).await);
    }
}
