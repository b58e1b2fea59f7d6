//! Serves a simulated organization until interrupted: `cargo run -p simulator --example serve [PORT [SPEED [WORKLOADS]]]`.
//!
//! SPEED is virtual seconds per real second, 20 if not given; with 0 the clock only moves by
//! `/_simulator/clock/advance`. WORKLOADS is the number of workload accounts, 9 if not given.
#![expect(
    clippy::print_stdout,
    reason = "an example that tells where it listens"
)]

use simulator::{Config, Simulator, SimulatorError};

#[tokio::main]
async fn main() -> Result<(), SimulatorError> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let speed = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20.0);
    let workload_accounts = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(9);
    let simulator = Simulator::start(Config {
        port,
        speed,
        workload_accounts,
        ..Config::default()
    })
    .await?;
    println!("export AWS_ENDPOINT_URL={}", simulator.endpoint());
    println!(
        "export AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=simulated AWS_REGION=eu-central-1"
    );
    // Interrupting is the way to stop; a failing signal handler stops too.
    tokio::signal::ctrl_c().await.unwrap_or_default();
    simulator.stop().await;
    Ok(())
}
