//! One virtual clock for deployer, SDK and simulator.
//!
//! Every wait in the client (the deployer between two polls, the SDK before a retry) is registered
//! here. When nothing can proceed, the simulator's clock jumps to the earliest wait, so hours take
//! milliseconds. A run happens in a single thread, so equal seeds give equal runs.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use futures::task::AtomicWaker;
use simulator::Simulator;
use tokio::runtime::Handle;

/// Number of idle polls of the sockets before the clock may advance. Loopback delivers at once, so
/// one poll suffices unless the machine is busy.
const QUIET: u32 = 24;

/// Real time without progress after which a run counts as hung.
const HUNG: Duration = Duration::from_secs(20);

/// Virtual time after which a run counts as hung even if it seems to progress. The deployer's own
/// limits are twelve hours for each of a handful of stack sets.
const ENDLESS: Duration = Duration::from_hours(24 * 14);

/// Virtual time since the simulator started, and its waiters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Time(Arc<Mutex<Sleepers>>);

#[derive(Debug, Default)]
struct Sleepers {
    now: Duration,
    entered: u64,
    /// Keyed by wake-up time and order of arrival.
    waiting: BTreeMap<(Duration, u64), Waker>,
}

impl Time {
    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for virtual time to pass.
    pub(crate) fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        let mut sleepers = self.sleepers();
        sleepers.entered += 1;
        Sleep {
            time: self.clone(),
            key: (sleepers.now.saturating_add(duration), sleepers.entered),
        }
    }

    /// `sleep` as the type that the AWS adapter takes.
    pub(crate) fn pauser(&self) -> aws::Pauser {
        let time = self.clone();
        Arc::new(move |duration| Box::pin(time.sleep(duration)))
    }

    fn first(&self) -> Option<Duration> {
        self.sleepers()
            .waiting
            .first_key_value()
            .map(|((at, _), _)| *at)
    }

    /// Sets the time to `now` and wakes all waiters that are due.
    fn wake(&self, now: Duration) {
        let due: Vec<Waker> = {
            let mut sleepers = self.sleepers();
            sleepers.now = sleepers.now.max(now);
            let now = sleepers.now;
            let later = sleepers.waiting.split_off(&(now, u64::MAX));
            std::mem::replace(&mut sleepers.waiting, later)
                .into_values()
                .collect()
        };
        for waker in due {
            waker.wake();
        }
    }
}

struct Sleep {
    time: Time,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut sleepers = self.time.sleepers();
        if sleepers.now >= self.key.0 {
            return Poll::Ready(());
        }
        sleepers.waiting.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.time.sleepers().waiting.remove(&self.key);
    }
}

/// When a deployer is killed, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    /// As soon as this many requests took effect: the last response is never read.
    Answers(u64),
    /// After this many steps between two waits: a request may be partly sent, or its response just
    /// read.
    Steps(u64),
    /// After this much virtual time, which means during a wait.
    At(Duration),
}

/// How a piece of work ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    /// It completed.
    Finished(T),
    /// It was dropped, like in a crash.
    Killed,
    /// It made no progress for a long real time.
    Hung,
}

/// Records that the work must be polled again.
struct Signal {
    woken: AtomicBool,
    outer: AtomicWaker,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.outer.wake();
    }
}

/// Drives a future and advances virtual time whenever nothing else can proceed. The simulator runs in
/// the same thread.
pub(crate) async fn drive<T>(
    simulator: &Simulator,
    time: &Time,
    kill: Option<Kill>,
    work: impl Future<Output = T>,
) -> Ended<T> {
    let mut work = pin!(work);
    let signal = Arc::new(Signal {
        woken: AtomicBool::new(true),
        outer: AtomicWaker::new(),
    });
    let waker = Waker::from(Arc::clone(&signal));
    let epoch = simulator.now();
    let began = time.sleepers().now;
    let answered_before = simulator.answered();
    let mut answered = answered_before;
    let mut steps = 0;
    let mut quiet = 0;
    let mut progress = Instant::now();
    poll_fn(|context| {
        signal.outer.register(context.waker());
        let news = simulator.answered();
        let mut active = news != answered;
        answered = news;
        let elapsed = Duration::try_from(simulator.now().duration_since(epoch)).unwrap_or_default();
        time.wake(began + elapsed);
        if kill.is_some_and(|kill| match kill {
            Kill::Answers(count) => answered - answered_before >= count,
            Kill::Steps(count) => steps >= count,
            Kill::At(at) => elapsed >= at,
        }) {
            return Poll::Ready(Ended::Killed);
        }
        if elapsed > ENDLESS {
            return Poll::Ready(Ended::Hung);
        }
        if signal.woken.swap(false, Ordering::SeqCst) {
            active = true;
            steps += 1;
            if let Poll::Ready(result) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(Ended::Finished(result));
            }
        }
        if active {
            quiet = 0;
            progress = Instant::now();
        } else {
            quiet += 1;
            if quiet >= QUIET
                && let Some(first) = time.first()
            {
                // The simulator's clock counts whole milliseconds.
                let step = first
                    .saturating_sub(began + elapsed)
                    .as_micros()
                    .div_ceil(1000);
                simulator.advance(Duration::from_millis(
                    u64::try_from(step).unwrap_or(1).max(1),
                ));
                quiet = 0;
                progress = Instant::now();
            } else if progress.elapsed() > HUNG {
                return Poll::Ready(Ended::Hung);
            }
        }
        // Yield to the runtime's loop, which polls the sockets.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Like [`drive`], with a simulator that runs on the runtime `server`. Not reproducible, since two
/// threads run at once; but the client gets a processor of its own, as it has in front of AWS.
pub(crate) async fn drive_apart<T>(
    simulator: &Simulator,
    server: &Handle,
    time: &Time,
    work: impl Future<Output = T>,
) -> Ended<T> {
    let mut work = pin!(work);
    let steps = Cell::new(0_u64);
    // Polls the work only when it was woken.
    let mut running = FuturesUnordered::new();
    running.push(poll_fn(|context| {
        steps.set(steps.get() + 1);
        work.as_mut().poll(context)
    }));
    let epoch = simulator.now();
    let began = time.sleepers().now;
    let mut progress = Instant::now();
    loop {
        let before = (steps.get(), simulator.answered());
        tokio::select! {
            biased;
            Some(result) = running.next() => return Ended::Finished(result),
            () = quiet(server) => {}
        }
        if before != (steps.get(), simulator.answered()) {
            progress = Instant::now();
            continue;
        }
        let elapsed = Duration::try_from(simulator.now().duration_since(epoch)).unwrap_or_default();
        if elapsed > ENDLESS || progress.elapsed() > HUNG {
            return Ended::Hung;
        }
        if let Some(first) = time.first() {
            let left = first.saturating_sub(began + elapsed);
            simulator.advance(left.max(Duration::from_millis(1)));
            time.wake(first);
            progress = Instant::now();
        }
    }
}

/// Lets both threads read what the other has sent. A request that was sent before is performed
/// afterwards, and a response that was sent before is read.
async fn quiet(server: &Handle) {
    // Checking more often would cost the time that is measured.
    tokio::time::sleep(Duration::from_millis(1)).await;
    server.spawn(polls()).await.unwrap_or_default();
    polls().await;
}

/// Waits until this thread has polled its sockets a few times.
async fn polls() {
    for _ in 0..QUIET {
        tokio::task::yield_now().await;
    }
}
