//! The command `completions`: writes a shell's completion script.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::environment::Environment;
use crate::exit::Exit;

pub(crate) fn run(environment: &Environment, shell: Shell) -> Result<Exit> {
    // Buffered, because clap_complete panics if the reader closes the pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "gizmos", &mut script);
    environment.print_document(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
