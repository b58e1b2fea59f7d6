//! Runs the program in its own process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use crate::Run;

/// A command that runs the program in a folder, without the caller's AWS settings.
pub(crate) fn command(
    program: &Path,
    folder: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments);
    clean(&mut command);
    command.envs(environment.iter().copied());
    command
}

/// Removes the caller's AWS settings, so that no test can reach a real account.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("AWS_") || text.starts_with("GIZMOS_") {
            command.env_remove(&name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_COLOR", "1");
}

/// A program that runs concurrently with the test.
#[derive(Debug)]
pub struct Started {
    child: Child,
    errors: Arc<Errors>,
    reader: JoinHandle<()>,
}

/// Standard error so far, and whether more may follow.
#[derive(Debug, Default)]
struct Errors {
    text: Mutex<(String, bool)>,
    changed: Condvar,
}

impl Errors {
    fn text(&self) -> MutexGuard<'_, (String, bool)> {
        self.text.lock().expect("a lock")
    }
}

impl Started {
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let errors = Arc::<Errors>::default();
        let heard = Arc::clone(&errors);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut text = heard.text();
                text.0.push_str(&line);
                text.0.push('\n');
                heard.changed.notify_all();
            }
            heard.text().1 = true;
            heard.changed.notify_all();
        });
        Self {
            child,
            errors,
            reader,
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until this text appears on standard error, or the stream ends.
    pub fn wait_for_error_output(&self, text: &str) {
        let waited = self
            .errors
            .changed
            .wait_while(self.errors.text(), |it| !it.1 && !it.0.contains(text));
        drop(waited.expect("a lock"));
    }

    /// Sends Ctrl-C.
    pub fn interrupt(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.is_ok_and(|sent| sent.success()), "no signal was sent");
    }

    /// Kills it at once, like a machine that loses power.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be ended");
        self.child.wait().expect("it ends");
    }

    /// Waits until the program ends.
    pub fn finish(mut self) -> Run {
        let status = self.child.wait().expect("a status");
        self.reader.join().expect("all is read");
        Run {
            code: status.code().unwrap_or(-1),
            stdout: String::new(),
            stderr: self.errors.text().0.clone(),
        }
    }
}
