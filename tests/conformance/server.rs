//! Emulators of AWS, run as servers.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::ops::Deref;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tests::{Client, python_program};

/// How long a server may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// An emulator on a free port of 127.0.0.1, stopped on drop.
pub(crate) struct Server {
    client: Client,
    process: Child,
    /// Its working folder, with its log.
    folder: TempDir,
    port: u16,
}

impl Server {
    /// moto, whose callers are the credentials of assumed roles.
    pub(crate) fn moto() -> Self {
        let port = free_port();
        let mut command = python_program("second-opinions", "moto_server");
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        Self::start(command, port)
    }

    /// `LocalStack`, whose callers are account ids.
    pub(crate) fn localstack() -> Self {
        let port = free_port();
        let mut command = python_program("localstack", "python");
        command
            .args(["-m", "localstack.runtime.main"])
            // Its default server ignores the address and listens on all of them.
            .env("GATEWAY_SERVER", "hypercorn")
            .env("GATEWAY_LISTEN", format!("127.0.0.1:{port}"))
            // No DNS server, no certificate from the network and no report of usage.
            .env("DNS_ADDRESS", "0")
            .env("SKIP_SSL_CERT_DOWNLOAD", "1")
            .env("DISABLE_EVENTS", "1");
        Self::start(command, port)
    }

    /// ministack, whose callers are account ids.
    pub(crate) fn ministack() -> Self {
        let port = free_port();
        let mut command = python_program("ministack", "ministack");
        command
            // It listens on all addresses unless told otherwise.
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string());
        Self::start(command, port)
    }

    fn start(mut command: Command, port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = File::create(folder.path().join("log.txt")).expect("a log file");
        let process = command
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env("FILESYSTEM_ROOT", folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let mut server = Self {
            client: Client::new(format!("http://127.0.0.1:{port}")),
            process,
            folder,
            port,
        };
        server.wait_until_it_answers();
        server
    }

    fn wait_until_it_answers(&mut self) {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.process.try_wait().expect("a status");
            assert!(
                ended.is_none() && start.elapsed() < PATIENCE,
                "the server didn't answer ({ended:?}); it printed\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What the server printed.
    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log.txt")).unwrap_or_default()
    }
}

impl Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
