//! One virtual time for the deployer, the SDK and the simulator.
//!
//! Every wait in the client (the deployer between two polls, the SDK before a retry) is entered
//! here. When nothing can continue without time, the simulator's clock jumps to the first of them. All of a run happens in one thread, so the same seed gives the same run, and hours
//! take milliseconds.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use simulator::Simulator;

/// How often the sockets are polled in vain before time may pass. Loopback delivers at once, so one
/// poll would do except on a busy machine.
const QUIET: u32 = 24;

/// Real time without any progress after which a run counts as hung.
const HUNG: Duration = Duration::from_secs(20);

/// Virtual time after which it counts as hung, whatever progress it seems to make: the deployer's own limits
/// are twelve hours for each of a handful of stack sets.
const ENDLESS: Duration = Duration::from_hours(24 * 14);

/// Virtual time since the simulator started, and who waits for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Time(Arc<Mutex<Sleepers>>);

#[derive(Debug, Default)]
struct Sleepers {
    now: Duration,
    entered: u64,
    /// Keyed by when they want to be woken and the order in which they came.
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

    /// The same, in the shape that the AWS adapter takes.
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

    /// Sets the time to `now`, and wakes whatever waited for that.
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

/// The moment at which a deployer is killed, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    /// As soon as so many requests have had their effect: the last answer is never read.
    Answers(u64),
    /// After so many steps between two waits: a request may be half sent, or its answer just read.
    Steps(u64),
    /// After so much virtual time, that is, while it waits.
    At(Duration),
}

/// How a piece of work ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    /// It ended.
    Finished(T),
    /// It was dropped, as a crash would.
    Killed,
    /// It made no progress for a long real time.
    Hung,
}

/// Remembers that the work wants to be polled.
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

/// Carries work out, letting virtual time pass whenever nothing else happens.
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
        // Once around the runtime's loop, which looks at the sockets on the way.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
