//! The arguments shared by all commands, and the project they refer to.

use anyhow::Result;
use compiler::Bundle;
use compiler::organization::Organization;
use deployer::Observed;
use serde_json::json;

use crate::arguments::{Format, ProjectArguments};
use crate::environment::Environment;
use crate::project::{self, Project};

/// The arguments shared by all commands, with the environment.
#[derive(Debug)]
pub(crate) struct Invocation<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) project: &'a ProjectArguments,
    pub(crate) format: Format,
}

/// A project that compiles, with everything a deployment needs.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) project: Project,
    pub(crate) bundle: Bundle,
    pub(crate) organization: Organization,
}

impl Compiled {
    /// The bundle for this fleet: rules stay in the stack sets that carry them. Only a fleet with
    /// several stack sets of a part makes a difference.
    pub(crate) fn bundle_for(&self, observed: &Observed) -> Result<Bundle> {
        let placement = observed.placement(&self.bundle);
        if placement.is_empty() {
            return Ok(self.bundle.clone());
        }
        self.project.bundle_onto(&placement)
    }
}

impl<'a> Invocation<'a> {
    /// Locations of the user's files.
    pub(crate) fn files(&self) -> project::Files<'a> {
        project::Files {
            environment: self.environment,
            arguments: self.project,
        }
    }

    /// Loads and compiles the project, and prints every diagnostic. Returns `None` if there are
    /// errors: the command then stops with [`Exit::Configuration`](crate::Exit::Configuration), and
    /// `consequence` tells the user what was not done.
    pub(crate) fn compiled(&self, consequence: &str) -> Result<Option<Compiled>> {
        let project = Project::load(self.files());
        let (Some(bundle), Some(organization)) = (&project.bundle, &project.organization) else {
            self.print_diagnostics(&project)?;
            self.environment.note(consequence);
            return Ok(None);
        };
        self.environment.note_diagnostics(&project.diagnostics);
        let (bundle, organization) = (bundle.clone(), organization.clone());
        Ok(Some(Compiled {
            project,
            bundle,
            organization,
        }))
    }

    /// The project compiled again for these Regions, to which `regions: enabled` was resolved. Prints
    /// diagnostics that weren't there before; `None` if there are errors, as for
    /// [`Invocation::compiled`].
    pub(crate) fn watching(
        &self,
        compiled: Compiled,
        regions: &[String],
        consequence: &str,
    ) -> Option<Compiled> {
        let Compiled {
            mut project,
            mut organization,
            ..
        } = compiled;
        if let Err(error) = organization.resolve_regions(regions) {
            self.environment.note(format_args!(
                "error: {error}\nhint: enable it, or change the organization file"
            ));
            self.environment.note(consequence);
            return None;
        }
        let known = project.diagnostics.len();
        project.compile_for(self.files(), &organization);
        let fresh = project.diagnostics.get(known..).unwrap_or_default();
        let Some(bundle) = project.bundle.clone() else {
            self.environment.note_diagnostics(fresh);
            self.environment.note(consequence);
            return None;
        };
        self.environment.note_diagnostics(fresh);
        Some(Compiled {
            project,
            bundle,
            organization,
        })
    }

    /// Prints the diagnostics as a command's result: JSON on standard output if requested,
    /// otherwise text on standard error.
    pub(crate) fn print_diagnostics(&self, project: &Project) -> Result<()> {
        if self.format == Format::Json {
            let document = json!({ "diagnostics": project.diagnostics });
            return self.environment.print_json(&document);
        }
        self.environment.note_diagnostics(&project.diagnostics);
        Ok(())
    }
}
