//! A user's files in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cli::Environment;
use serde_json::Value;
use tempfile::TempDir;

use crate::{EXAMPLE_RULE, Run, Started, process, repository};

/// A project in a temporary folder, to be edited and broken.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
    program: PathBuf,
}

impl Project {
    /// The tests' own library and organization file with the product's templates. `program` is
    /// `env!("CARGO_BIN_EXE_gizmos-under-test")`.
    pub fn new(program: &str) -> Self {
        let library = repository().join("tests/library");
        let project = Self::of(program, &library.join("rules"));
        let organization = project.path("stacksets/organization.yaml");
        fs::copy(library.join("organization.yaml"), organization).expect("a copy");
        project
    }

    /// The committed library and organization file. Use it only for tests about these files
    /// themselves, because editing a rule must not break tests of the program.
    pub fn committed(program: &str) -> Self {
        Self::of(program, &repository().join("rules"))
    }

    fn of(program: &str, rules: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy(rules, &folder.path().join("rules"));
        copy(
            &repository().join("stacksets"),
            &folder.path().join("stacksets"),
        );
        Self {
            folder,
            program: PathBuf::from(program),
        }
    }

    /// The path of a file in this copy.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Replaces text in a file, which must contain it.
    pub fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.path(file);
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(text.contains(from), "{file} does not contain {from:?}");
        fs::write(&path, text.replacen(from, to, 1)).expect("written");
    }

    /// Writes a file, and creates its folder.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, text).expect("written");
    }

    /// Removes a file.
    pub fn remove(&self, file: &str) {
        fs::remove_file(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }

    /// Removes the waves from the organization file, so that everything is one operation.
    pub fn remove_waves(&self) {
        let file = "stacksets/organization.yaml";
        let text = fs::read_to_string(self.path(file)).expect("the organization file");
        let (without, _) = text.split_once("\nwaves:").expect("waves");
        self.write(file, without);
    }

    /// Watches all enabled Regions. The tests' organization file lists three, so `check` warns that
    /// sign-ins appear in others.
    pub fn watch_enabled_regions(&self) {
        self.replace(
            "stacksets/organization.yaml",
            "regions:\n  - eu-central-1\n  - us-east-1\n  - us-west-2\n",
            "regions: enabled\n",
        );
    }

    /// Adds rules with alerts so long that all rules don't fit into one request.
    pub fn add_large_rules(&self) {
        self.write("rules/fixtures/event.json", crate::EXAMPLE_EVENT);
        for number in 0..20 {
            let id = format!("large-rule-{number}");
            let rule = EXAMPLE_RULE.replace("example-rule", &id).replace(
                "Ask whoever stopped it, and start it again.",
                &"Ask whoever stopped it. ".repeat(150),
            );
            self.write(&format!("rules/large/{id}.yaml"), &rule);
        }
    }

    /// Compiles this copy into a folder and returns what `compile` prints as JSON.
    pub fn compile(&self, topology: &str, folder: &Path) -> Value {
        let out = folder.to_string_lossy();
        let mut arguments = vec!["compile", "--topology", topology, "--out", &out];
        let file = self.path("stacksets/organization.yaml");
        let text = fs::read_to_string(file).expect("the organization file");
        if text.contains("\nregions: enabled") {
            // Elsewhere the organization is asked, and here is none.
            arguments.extend(["--regions", "eu-central-1,us-east-1"]);
        }
        arguments.extend(["--format", "json"]);
        self.run(&arguments).expect(0).json()
    }

    /// Runs a command in this copy.
    ///
    /// Without `--simulator`, a command would use the caller's AWS settings, so it runs in a
    /// separate process without any.
    pub fn run(&self, arguments: &[&str]) -> Run {
        let is_about = |option: &str| arguments.iter().any(|it| it.starts_with(option));
        if (is_about("--org") && !is_about("--simulator")) || is_about("s3://") {
            return self.run_with(arguments, &[]);
        }
        let (environment, captured) = Environment::captured(self.folder.path());
        let arguments = ["gizmos"].iter().chain(arguments).copied();
        let exit = cli::run(arguments, &environment);
        Run::captured(exit, &captured)
    }

    /// Runs the program in a process with these environment variables and no other AWS settings.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
        let mut command =
            process::command(&self.program, self.folder.path(), arguments, environment);
        Run::of(&command.output().expect("the program starts"))
    }

    /// Deploys this copy as the management account, without verification.
    pub fn deploy(&self, organization: &crate::Served) -> Run {
        self.run(&["deploy", "--org", "--no-verify", &organization.argument()])
    }

    /// Starts the program with these environment variables, without waiting for it.
    pub fn start_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Started {
        Started::of(process::command(
            &self.program,
            self.folder.path(),
            arguments,
            environment,
        ))
    }

    /// Puts a program first in the search path of [`Project::script`].
    pub fn write_program(&self, name: &str, text: &str) {
        let file = format!("bin/{name}");
        self.write(&file, text);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(self.path(&file), mode).expect("made executable");
    }

    /// Runs a script in this copy like a workflow step. `cargo xtask` is the program under test,
    /// called with the argument in `SIMULATOR`, if there is one.
    pub fn script(&self, script: &str, environment: &[(String, String)]) -> Run {
        let program = self.program.display();
        let cargo = format!(
            "#!/bin/sh\n[ \"$1\" = xtask ] || exit 1\nshift\nGIZMOS_COMMAND='cargo xtask' exec \"{program}\" \"$@\" ${{SIMULATOR:-}}\n"
        );
        self.write_program("cargo", &cargo);
        let mut command = Command::new("bash");
        command.current_dir(self.folder.path()).args([
            "--noprofile",
            "--norc",
            "-e",
            "-o",
            "pipefail",
            "-c",
            script,
        ]);
        process::clean(&mut command);
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .envs(environment.iter().map(|(name, value)| (name, value)));
        Run::of(&command.output().expect("bash starts"))
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a readable folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
