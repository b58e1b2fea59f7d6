//! The HTTP server, on 127.0.0.1 only.

use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::World;

/// How the simulated organization starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// Accounts besides management, log archive and security; five ninths are in production.
    pub workload_accounts: usize,
    /// The Regions that exist; the first is the home Region.
    pub regions: Vec<String>,
    /// All made-up ids come from it.
    pub seed: u64,
    /// Virtual seconds per real second; with 0 the clock moves only by `/_simulator/clock/advance`.
    pub speed: f64,
    /// TCP port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Whether subscribers confirm their subscriptions by themselves.
    pub confirm_subscriptions: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            workload_accounts: 9,
            regions: ["eu-central-1", "us-east-1", "us-west-2"]
                .map(str::to_owned)
                .to_vec(),
            seed: 1,
            speed: 0.0,
            port: 0,
            confirm_subscriptions: true,
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
        let port = config.port;
        let listener = TcpListener::bind(("127.0.0.1", port))
            .await
            .map_err(|source| SimulatorError::Listen { port, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| SimulatorError::Listen { port, source })?;
        let world = Arc::new(Mutex::new(World::new(config)));
        let router = axum::Router::new()
            .fallback(crate::protocol::serve)
            .with_state(Arc::clone(&world));
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
                // A dropped sender stops the server too.
                stopped.await.unwrap_or_default();
            });
            // Serving on a bound loopback socket does not fail.
            serving.await.unwrap_or_default();
        });
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

    /// The world that is served.
    pub(crate) fn shared(&self) -> &Mutex<World> {
        &self.world
    }

    /// Stops serving.
    pub async fn stop(self) {
        drop(self.stop);
        self.server.abort();
        // Aborting makes the task end with a cancellation error, which is what was asked for.
        self.server.await.unwrap_or_default();
    }
}
