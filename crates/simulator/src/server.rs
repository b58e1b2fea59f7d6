//! The HTTP server, on 127.0.0.1 only.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Incoming;
use hyper::header::{DATE, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::cloudformation::Quotas;
use crate::faults::{Event, Faults};
use crate::protocol::Reply;
use crate::stats::Stats;
use crate::wire::time::http_date;
use crate::world::World;

/// How the simulated organization starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// Accounts besides management, log archive and security; five ninths are in production.
    pub workload_accounts: usize,
    /// The Regions that exist; the first is the home Region.
    pub regions: Vec<String>,
    /// Those of them that are not enabled.
    pub disabled_regions: Vec<String>,
    /// All made-up ids come from it.
    pub seed: u64,
    /// Virtual seconds per real second; with 0 the clock moves only by `/_simulator/clock/advance`.
    pub speed: f64,
    /// TCP port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Whether subscribers confirm their subscriptions by themselves.
    pub confirm_subscriptions: bool,
    /// What goes wrong, from the start.
    pub faults: Faults,
    /// How much there may be of what.
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
        /// What the system said.
        source: std::io::Error,
    },
    /// The faults make no sense.
    #[error("{0}")]
    Faults(String),
}

/// A running simulator.
#[derive(Debug)]
pub struct Simulator {
    endpoint: String,
    world: Arc<Mutex<World>>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Simulator {
    /// Starts the simulator in the background of the current tokio runtime.
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

    /// Sets the faults in place of those before. Times and calls of their schedule count from now.
    pub fn set_faults(&self, faults: Faults) -> Result<(), SimulatorError> {
        faults.check().map_err(SimulatorError::Faults)?;
        crate::faults::start(&mut self.lock(), faults);
        Ok(())
    }

    /// Makes something happen now, and says what it did, or why there was nothing to do.
    pub fn happen(&self, event: &Event) -> Result<String, String> {
        crate::faults::happen(&mut self.lock(), event)
    }

    /// How often each API was called and each fault happened.
    pub fn stats(&self) -> Stats {
        crate::stats::stats(&self.lock())
    }

    /// Asks the `/_simulator/` API without HTTP: HTTP status and answer.
    pub fn admin(
        &self,
        method: &str,
        path: &str,
        body: &serde_json::Value,
    ) -> (u16, serde_json::Value) {
        let body = body.to_string();
        crate::admin::serve(&mut self.lock(), method, path, &[], body.as_bytes())
    }

    /// The world that is served.
    pub(crate) fn shared(&self) -> &Mutex<World> {
        &self.world
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops serving.
    pub async fn stop(self) {
        drop(self.stop);
        self.server.abort();
        // Aborting makes the task end with a cancellation error, which is what was asked for.
        self.server.await.unwrap_or_default();
    }
}

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
                // A client that went away between its call and this one is no reason to stop.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&world)));
                }
            }
        }
    }
}

/// The connection is to break without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection breaks, as the faults ask for")]
struct Broken;

async fn connection(stream: TcpStream, world: Arc<Mutex<World>>) {
    // Answers are small and awaited; without this they wait for each other.
    stream.set_nodelay(true).unwrap_or_default();
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let world = Arc::clone(&world);
        async move {
            match crate::protocol::serve(&world, request).await {
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
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // How a connection ends is the client's business, or was asked for.
    served.unwrap_or_default();
}
