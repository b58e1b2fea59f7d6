//! Everything a command can read from its process, and every way it can print.
//!
//! No other module prints or reads environment variables, the current folder, the clock or Ctrl-C.
//! Therefore a program such as a test can run several commands concurrently and capture the output
//! of each.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use jiff::ZonedDateTime;
use jiff::civil::Date;
use serde::Serialize;
use syntax::{Diagnostic, SourceFile, untrusted};

use crate::interrupts::Interrupts;

/// The inputs and outputs of a command, apart from its arguments.
pub struct Environment {
    folder: PathBuf,
    variables: BTreeMap<OsString, OsString>,
    clock: fn() -> ZonedDateTime,
    input: Mutex<Box<dyn Read + Send>>,
    input_is_terminal: bool,
    output: Stream,
    errors: Stream,
    interrupts: Interrupts,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self {
            // If the current folder was deleted, paths stay as given.
            folder: std::env::current_dir().unwrap_or_default(),
            variables: std::env::vars_os().collect(),
            clock: ZonedDateTime::now,
            input: Mutex::new(Box::new(io::stdin())),
            input_is_terminal: io::stdin().is_terminal(),
            output: Stream::new(anstream::stdout(), io::stdout().is_terminal()),
            errors: Stream::new(anstream::stderr(), io::stderr().is_terminal()),
            interrupts: Interrupts::of_process(),
        }
    }

    /// An environment without variables, input or terminal, which captures what a command prints.
    pub fn captured(folder: impl Into<PathBuf>) -> (Self, Captured) {
        let captured = Captured::default();
        let environment = Self {
            folder: folder.into(),
            variables: BTreeMap::new(),
            clock: ZonedDateTime::now,
            input: Mutex::new(Box::new(io::empty())),
            input_is_terminal: false,
            output: Stream::new(captured.output.clone(), false),
            errors: Stream::new(captured.errors.clone(), false),
            interrupts: Interrupts::never(),
        };
        (environment, captured)
    }

    /// Sets the content of standard input.
    #[must_use]
    pub fn with_input(mut self, text: &str) -> Self {
        self.input = Mutex::new(Box::new(io::Cursor::new(text.to_owned())));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Replaces the system's clock.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> ZonedDateTime) -> Self {
        self.clock = clock;
        self
    }

    /// Replaces the source of Ctrl-C.
    #[must_use]
    pub fn with_interrupts(mut self, interrupts: Interrupts) -> Self {
        self.interrupts = interrupts;
        self
    }

    /// The value of an environment variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
    }

    /// Today's date in the system's time zone.
    pub(crate) fn today(&self) -> Date {
        (self.clock)().date()
    }

    /// The source of Ctrl-C.
    pub(crate) fn interrupts(&self) -> &Interrupts {
        &self.interrupts
    }

    /// The project's folder: `GIZMOS_ROOT`, or the current folder.
    pub(crate) fn root(&self) -> PathBuf {
        let root = self.variable("GIZMOS_ROOT").map(Path::new);
        root.map_or_else(|| self.folder.clone(), |root| self.resolve(root))
    }

    /// Resolves a user's path relative to the current folder.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        let path = self.folder.join(path);
        // Normalize `rules/` to `rules`, and drop `.`, which would appear in every path below it.
        path.components().collect()
    }

    /// A resolved path for display, relative to the current folder if it is below it.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.folder)
            .ok()
            .filter(|shown| !shown.as_os_str().is_empty())
            .unwrap_or(path)
            .to_path_buf()
    }

    /// Shortens all paths in a text like [`Self::shown`].
    fn shorten(&self, text: &str) -> String {
        // In the root folder, every path would lose its leading slash.
        if self.folder.parent().is_none() {
            return text.to_owned();
        }
        text.replace(&format!("{}/", self.folder.display()), "")
    }

    /// Shortens the paths in diagnostics for display.
    pub(crate) fn relate(&self, diagnostics: &mut [Diagnostic]) {
        let mut files: BTreeMap<PathBuf, Arc<SourceFile>> = BTreeMap::new();
        for diagnostic in diagnostics {
            if let Some(location) = &mut diagnostic.location {
                let file = files.entry(location.file.path.clone()).or_insert_with(|| {
                    let shown = self.shown(&location.file.path);
                    Arc::new(SourceFile::new(shown, location.file.text.clone()))
                });
                location.file = Arc::clone(file);
            }
            diagnostic.message = self.shorten(&diagnostic.message);
            let more = diagnostic.help.iter_mut().chain(&mut diagnostic.notes);
            for text in more {
                *text = self.shorten(text);
            }
        }
    }

    /// Reads at most `limit` bytes from standard input.
    pub(crate) fn read_input(&self, limit: u64) -> io::Result<String> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        input.as_mut().take(limit).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Asks the user; `None` if there is no terminal.
    pub(crate) fn ask(&self, question: &str) -> io::Result<Option<String>> {
        if !self.input_is_terminal {
            return Ok(None);
        }
        self.errors.write(&untrusted::lines(question))?;
        let mut answer = String::new();
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        BufReader::new(input.as_mut()).read_line(&mut answer)?;
        Ok(Some(answer))
    }

    /// Writes text and a final newline to standard output. The text may quote strangers.
    pub(crate) fn print(&self, text: &str) -> Result<()> {
        self.print_document(&untrusted::lines(text))
    }

    /// Writes a document and a final newline to standard output, unchanged: a user's file, or a
    /// format in which `report` made the quoted text safe.
    pub(crate) fn print_document(&self, text: &str) -> Result<()> {
        let end = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        Ok(self.output.write(&format!("{text}{end}"))?)
    }

    /// Writes a result to standard output as a JSON document.
    pub(crate) fn print_json(&self, value: &impl Serialize) -> Result<()> {
        let document = serde_json::to_string_pretty(value)?;
        self.print_document(&untrusted::json(&document))
    }

    /// Writes help, or an error about the arguments.
    pub(crate) fn print_usage(&self, error: &clap::Error) -> Result<()> {
        let stream = if error.use_stderr() {
            &self.errors
        } else {
            &self.output
        };
        let text = error.render();
        Ok(if stream.is_terminal {
            stream.write(&text.ansi().to_string())
        } else {
            stream.write(&untrusted::lines(&text.to_string()))
        }?)
    }

    /// Writes a line of progress, a warning or an error to standard error.
    pub(crate) fn note(&self, line: impl fmt::Display) {
        self.errors.note(line);
    }

    /// Writes the error that ended a command.
    pub(crate) fn note_error(&self, error: &anyhow::Error) {
        self.note(self.shorten(&format!("error: {error:#}")));
    }

    /// Writes text of several lines to standard error.
    pub(crate) fn note_text(&self, text: &str) {
        if !text.is_empty() {
            self.note(text.strip_suffix('\n').unwrap_or(text));
        }
    }

    /// Writes diagnostics to standard error.
    pub(crate) fn note_diagnostics(&self, diagnostics: &[Diagnostic]) {
        let color = self.errors.is_terminal();
        let text = report::diagnostics::terminal(diagnostics, color);
        // Already safe, and `note` would show colors as what they are made of.
        self.errors.write(&text).unwrap_or_default();
    }

    /// The standard error stream.
    pub(crate) fn errors(&self) -> &Stream {
        &self.errors
    }
}

/// Standard output or standard error.
#[derive(Clone)]
pub(crate) struct Stream {
    writer: Arc<Mutex<dyn Write + Send>>,
    is_terminal: bool,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("is_terminal", &self.is_terminal)
            .finish_non_exhaustive()
    }
}

impl Stream {
    fn new(writer: impl Write + Send + 'static, is_terminal: bool) -> Self {
        Self {
            writer: Arc::new(Mutex::new(writer)),
            is_terminal,
        }
    }

    /// Whether to use colors and moving progress bars.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(text.as_bytes())?;
        writer.flush()
    }

    /// Writes text, which may quote strangers, and a newline. Errors are ignored, because the text
    /// isn't part of a result.
    pub(crate) fn note(&self, text: impl fmt::Display) {
        let text = untrusted::lines(&text.to_string());
        self.write(&format!("{text}\n")).unwrap_or_default();
    }
}

/// The output of a command so far.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    output: Buffer,
    errors: Buffer,
}

impl Captured {
    /// Standard output.
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// Standard error.
    pub fn errors(&self) -> String {
        self.errors.text()
    }
}

#[derive(Clone, Debug, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the error means that the reader closed the pipe.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use syntax::{SourceLocation, Span};

    use super::*;

    #[test]
    fn paths_are_resolved_for_the_file_system_and_shown_relative() {
        let (here, _) = Environment::captured("/home/alice/detections");
        for (given, resolved, shown) in [
            ("rules", "/home/alice/detections/rules", "rules"),
            ("rules/", "/home/alice/detections/rules", "rules"),
            ("./rules", "/home/alice/detections/rules", "rules"),
            ("../rules", "/home/alice/detections/../rules", "../rules"),
            ("/etc/rules", "/etc/rules", "/etc/rules"),
            (".", "/home/alice/detections", "/home/alice/detections"),
        ] {
            assert_eq!(here.resolve(Path::new(given)), Path::new(resolved));
            assert_eq!(here.shown(Path::new(resolved)), Path::new(shown));
        }
        assert_eq!(
            here.shorten("no /home/alice/detections/rules, no /home/alice/x"),
            "no rules, no /home/alice/x"
        );
        let (root, _) = Environment::captured("/");
        assert_eq!(root.shorten("no /etc/rules"), "no /etc/rules");
    }

    #[test]
    fn diagnostics_show_relative_paths() {
        let (here, captured) = Environment::captured("/home/alice");
        let file = Arc::new(SourceFile::new("/home/alice/a.yaml", "x: 1\n"));
        let mut diagnostics =
            [Diagnostic::error("a::b", "see /home/alice/c.yaml").help("mend /home/alice/a.yaml")];
        diagnostics[0].location = Some(SourceLocation::new(&file, Span::new(0, 1)));
        here.relate(&mut diagnostics);
        here.note_diagnostics(&diagnostics);
        let errors = captured.errors();
        assert!(errors.contains("a.yaml:1:1"), "{errors}");
        assert!(!errors.contains("/home/alice"), "{errors}");
    }

    #[test]
    fn results_end_with_one_line_end_and_go_to_standard_output_alone() {
        let (here, captured) = Environment::captured("/");
        here.print("a").unwrap();
        here.print("b\n").unwrap();
        here.print("").unwrap();
        here.note("c");
        here.note_text("d\n");
        assert_eq!(captured.output(), "a\nb\n");
        assert_eq!(captured.errors(), "c\nd\n");
    }

    #[test]
    fn ask_returns_none_without_a_terminal() {
        let (here, captured) = Environment::captured("/");
        assert_eq!(here.with_input("yes\n").ask("Really? ").unwrap(), None);
        assert_eq!(captured.errors(), "");
    }
}
