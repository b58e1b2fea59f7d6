//! The HTTP server, bound to 127.0.0.1 only.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{DATE, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::cloudformation::Quotas;
use crate::dispatch::Reply;
use crate::faults::{Event, Faults};
use crate::stats::Stats;
use crate::wire::time::http_date;
use crate::world::World;

/// The configuration of a simulator.
#[derive(Debug, Clone)]
pub struct Config {
    /// Accounts in addition to management, log archive and security; five ninths are in production.
    pub workload_accounts: usize,
    /// The Regions that exist; the first is the home Region.
    pub regions: Vec<String>,
    /// The Regions among them that are disabled.
    pub disabled_regions: Vec<String>,
    /// Seed of all generated ids.
    pub seed: u64,
    /// Virtual seconds per real second; at 0 the clock moves only by `/_simulator/clock/advance`.
    pub speed: f64,
    /// TCP port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// Whether simulated recipients confirm their subscriptions.
    pub confirm_subscriptions: bool,
    /// Initial faults.
    pub faults: Faults,
    /// CloudFormation's quotas.
    pub quotas: Quotas,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            workload_accounts: 9,
            regions: ["eu-central-1", "us-east-1", "us-west-2"]
                .map(str::to_owned)
                .to_vec(),
            disabled_regions: Vec::new(),
            seed: 1,
            speed: 0.0,
            port: 0,
            confirm_subscriptions: true,
            faults: Faults::default(),
            quotas: Quotas::default(),
        }
    }
}

/// Why the simulator could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorError {
    /// The port can't be bound.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The configured port.
        port: u16,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The configured faults are invalid.
    #[error("{0}")]
    Faults(String),
}

/// A running simulator. Dropping it stops the server.
#[derive(Debug)]
pub struct Simulator {
    endpoint: String,
    world: Arc<Mutex<World>>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Simulator {
    /// Starts the simulator as a task of the current tokio runtime.
    pub async fn start(config: Config) -> Result<Simulator, SimulatorError> {
        config.faults.check().map_err(SimulatorError::Faults)?;
        let port = config.port;
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .map_err(|source| SimulatorError::Listen { port, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| SimulatorError::Listen { port, source })?;
        let world = Arc::new(Mutex::new(World::new(config)));
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(listen(listener, Arc::clone(&world), stopped));
        Ok(Simulator {
            endpoint: format!("http://{address}"),
            world,
            stop,
            server,
        })
    }

    /// The endpoint for `AWS_ENDPOINT_URL`: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Replaces the faults. Times and calls of their schedule count from now.
    pub fn set_faults(&self, faults: Faults) -> Result<(), SimulatorError> {
        faults.check().map_err(SimulatorError::Faults)?;
        crate::faults::start(&mut self.lock(), faults);
        Ok(())
    }

    /// Triggers an event now. Returns what it did; the error is why it did nothing.
    pub fn happen(&self, event: &Event) -> Result<String, String> {
        crate::faults::happen(&mut self.lock(), event)
    }

    /// Call and fault counts.
    pub fn stats(&self) -> Stats {
        crate::stats::stats(&self.lock())
    }

    /// Calls the `/_simulator/` API without HTTP. Returns HTTP status and JSON body.
    pub fn admin(
        &self,
        method: &str,
        path: &str,
        body: &serde_json::Value,
    ) -> (u16, serde_json::Value) {
        let body = body.to_string();
        crate::admin::serve(&mut self.lock(), method, path, &[], body.as_bytes())
    }

    pub(crate) fn shared(&self) -> &Mutex<World> {
        &self.world
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the server and waits for its task to end.
    pub async fn stop(self) {
        drop(self.stop);
        self.server.abort();
        // Aborting ends the task with a cancellation error, which is expected.
        self.server.await.unwrap_or_default();
    }
}

/// Most connections at once; a further one is closed.
const MAX_CONNECTIONS: usize = 1024;

/// Time limit for the head of a request. It also closes idle connections, so it is longer than clients
/// keep theirs: 90 seconds in the AWS SDK for Rust.
const HEAD_WITHIN: Duration = Duration::from_mins(2);

/// Serves until `stopped`; connections end with it.
async fn listen(
    listener: TcpListener,
    world: Arc<Mutex<World>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // A dropped sender stops the server too.
            _ = &mut stopped => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                // Accepting fails if the client has already gone; that must not stop the server.
                if let Ok((stream, _)) = accepted
                    && connections.len() < MAX_CONNECTIONS
                {
                    connections.spawn(connection(stream, Arc::clone(&world)));
                }
            }
        }
    }
}

/// Makes hyper close the connection without a response.
#[derive(Debug, thiserror::Error)]
#[error("connection reset by an injected fault")]
struct Broken;

async fn connection(stream: TcpStream, world: Arc<Mutex<World>>) {
    // Responses are small, and Nagle's algorithm would delay them.
    stream.set_nodelay(true).unwrap_or_default();
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let world = Arc::clone(&world);
        async move {
            match crate::dispatch::serve(&world, request).await {
                Reply::Answer(mut response) => {
                    let now = world
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .clock
                        .now();
                    if let Ok(date) = HeaderValue::from_str(&http_date(now)) {
                        response.headers_mut().insert(DATE, date);
                    }
                    Ok(response)
                }
                Reply::Reset => Err(Broken),
                Reply::Silence(duration) => {
                    tokio::time::sleep(duration).await;
                    Err(Broken)
                }
            }
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // A connection ends with an error if the client closed it or a fault broke it.
    served.unwrap_or_default();
}
