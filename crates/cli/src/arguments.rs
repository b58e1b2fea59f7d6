//! Command line arguments and their help texts.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use compiler::organization::Topology;
use deployer::drift::DriftCheck;
use deployer::{DriftOptions, Scope};
use jiff::civil::Date;

/// Detections as configuration for a whole AWS Organization.
#[derive(Debug, Parser)]
#[command(
    name = "gizmos",
    version,
    about = "Detections as configuration for a whole AWS Organization",
    after_help = "Exit codes: 0 done or nothing to do; 1 failed; 2 there are changes (plan --detailed-exitcode); \
        3 partial success; 4 an operation failed or was stopped; 5 drift; 6 blocked before anything was changed; \
        7 timed out; 64 wrong arguments, rules or configuration; 130 interrupted."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) project: ProjectArguments,
    /// Output format: text for people, json for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for a terminal
    Text,
    /// One JSON document on standard output
    Json,
    /// Markdown, for a pull request's comment
    Markdown,
    /// SARIF 2.1.0, for code scanning services
    Sarif,
    /// GitHub's annotations, for a workflow's log
    Github,
    /// Test results as `JUnit` XML
    Junit,
}

impl Command {
    /// Whether the command supports this output format.
    pub(crate) fn writes(&self, format: Format) -> bool {
        match format {
            Format::Text | Format::Json | Format::Markdown => true,
            Format::Sarif => matches!(self, Command::Check(_) | Command::Drift { .. }),
            Format::Github => matches!(self, Command::Check(_)),
            Format::Junit => matches!(self, Command::Drift { .. }),
        }
    }
}

/// Locations of the user's files.
#[derive(Debug, Args)]
pub(crate) struct ProjectArguments {
    /// Folder of the rules
    #[arg(long, global = true, value_name = "DIR", default_value = "rules")]
    pub(crate) rules: PathBuf,
    /// Folder of the organization file and the stack set templates
    #[arg(long, global = true, value_name = "DIR", default_value = "stacksets")]
    pub(crate) stacksets: PathBuf,
    /// The organization file [default: organization.yaml in the folder of the stack sets]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) organization: Option<PathBuf>,
    /// Compile for this topology instead of the one in the organization file
    #[arg(long, global = true, value_enum, value_name = "TOPOLOGY")]
    pub(crate) topology: Option<TopologyArgument>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TopologyArgument {
    /// Spokes forward events to a hub, which detects and notifies
    Hub,
    /// Every account and Region detects and notifies by itself
    Local,
}

impl From<TopologyArgument> for Topology {
    fn from(argument: TopologyArgument) -> Self {
        match argument {
            TopologyArgument::Hub => Self::Hub,
            TopologyArgument::Local => Self::Local,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lint the rules and the organization file, and run the rules' tests
    ///
    /// `rules/LINTS.md` explains every diagnostic.
    #[command(
        after_help = "Examples:\n  cargo xtask check\n  cargo xtask check --fix                 # fix what can be fixed automatically\n  \
            cargo xtask check --mutations           # would the rules' tests notice a change?\n  cargo xtask check --format json\n  cargo xtask check --format sarif > check.sarif"
    )]
    Check(CheckArguments),
    /// Write the generated pages, or check that they are up to date
    #[command(
        after_help = "Examples:\n  cargo xtask generate\n  cargo xtask generate --mode check   # exit code 1 if a page is out of date"
    )]
    Generate {
        /// Whether to write or to compare the pages
        #[arg(long, value_enum, default_value_t = GenerateMode::Write)]
        mode: GenerateMode,
    },
    /// Format rule files; comments are kept
    ///
    /// Fixes the order of keys, indentation, quotes, line width and empty lines. A file that isn't
    /// valid YAML is left unchanged, with the reason.
    #[command(
        after_help = "Examples:\n  cargo xtask fmt\n  cargo xtask fmt --check                 # exit code 1 if a file isn't formatted\n  \
            cargo xtask fmt rules/iam/iam-access-key-created.yaml\n  cargo xtask fmt -                       # from standard input to standard output, for editors"
    )]
    Fmt {
        /// Write nothing; list files that aren't formatted
        #[arg(long)]
        check: bool,
        /// Rule files [default: all of them]
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Create a rule from a real event: pattern, message, fixture and two tests
    ///
    /// Account ids, keys and secrets are replaced in the fixture. What only the rule's author can
    /// know is marked with `TODO`; `check` rejects the rule until it is filled in.
    #[command(
        after_help = "FILE holds a CloudTrail record or a whole EventBridge event: one JSON document, {\"Records\": […]}, \
            or JSON lines; - is standard input.\n\n\
            Examples:\n  cargo xtask new login-profile-created --from-event event.json\n  \
            cargo xtask new trail-stopped --from-event log.json --record 3 --theme cloudtrail\n  \
            aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventId,AttributeValue=ID --query 'Events[0].CloudTrailEvent' --output text | cargo xtask new ec2-key-pair-created --from-event -"
    )]
    New(NewArguments),
    /// Convert rules of other formats into rule files
    Import {
        #[command(subcommand)]
        from: ImportCommand,
    },
    /// Convert rule files into other formats
    Export {
        #[command(subcommand)]
        to: ExportCommand,
    },
    /// Compile rules and the organization file into CloudFormation templates
    #[command(
        after_help = "Examples:\n  cargo xtask compile --regions eu-central-1,us-east-1\n  \
            cargo xtask compile --topology local --out build/local   # if the organization file lists its Regions"
    )]
    Compile {
        /// The watched Regions, if the organization file says `regions: enabled`
        #[arg(long, value_delimiter = ',', value_name = "REGION,…")]
        regions: Vec<String>,
        /// Folder for templates and manifest [default: target/stacksets]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Show what a deployment would change; changes nothing
    #[command(
        after_help = "Examples:\n  cargo xtask plan --org\n  cargo xtask plan --org --format markdown\n  \
            cargo xtask plan --org --detailed-exitcode   # exit code 2 if there are changes\n  \
            cargo xtask plan --org --out plan.json && cargo xtask deploy --org --plan plan.json"
    )]
    Plan {
        #[command(flatten)]
        target: Target,
        /// Exit with 2 if there are changes
        #[arg(long)]
        detailed_exitcode: bool,
        /// Save the plan, for `deploy --plan FILE`
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Check that a deployment can start: identity, trusted access, permissions, Regions, quotas
    ///
    /// Changes nothing. Every failure comes with its fix. `deploy` runs the same checks first.
    #[command(
        after_help = "Example:\n  AWS_PROFILE=management cargo xtask doctor --org   # exit code 6 if a check fails"
    )]
    Doctor {
        #[command(flatten)]
        target: Target,
    },
    /// Print the IAM policies that a command needs, for this organization
    ///
    /// One policy for the role that runs the command and one for the access role in other accounts;
    /// a policy too large for IAM is split. Makes no call. `doctor` asks IAM for the same
    /// permissions.
    #[command(
        after_help = "Examples:\n  cargo xtask permissions deploy\n  cargo xtask permissions plan --format json\n  \
            cargo xtask permissions deploy --out policies/   # a file each, for `aws iam put-role-policy --policy-document file://…`\n  \
            cargo xtask permissions deploy --account 333344445555   # for a delegated administrator of StackSets"
    )]
    Permissions {
        /// The command that the role shall run; `deploy` includes all others and `destroy`
        #[arg(value_enum, value_name = "COMMAND")]
        command: PermissionsOf,
        /// The account of the role, if it is a delegated administrator of StackSets [default: the management account]
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        /// Write each policy to a file in this folder as well
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Deploy the stack sets to the organization, then verify the alert chain
    #[command(
        after_help = "Examples:\n  cargo xtask deploy --org --simulator                          # try it, embedded\n  \
            cargo xtask deploy --org --simulator=http://127.0.0.1:4599    # against `simulator serve`\n  \
            AWS_PROFILE=management cargo xtask deploy --org               # a real organization"
    )]
    Deploy {
        #[command(flatten)]
        target: Target,
        /// Don't verify the alert chain afterward
        #[arg(long)]
        no_verify: bool,
        /// Exit with 5 if a rule in the hub was disabled, changed or deleted outside of CloudFormation
        #[arg(long)]
        fail_on_drift: bool,
        #[command(flatten)]
        deployment: DeploymentArguments,
    },
    /// Prove that the alert chain works
    ///
    /// On any endpoint, AWS included, a canary is sent from every watched account and Region through
    /// the deployed chain, to a topic and a queue of its own; the states, patterns and targets of
    /// all rules, and the policies, keys, subscriptions and filters of all topics are read. Nothing
    /// is published to the topics that people subscribe to. With `--simulator`, every rule's test
    /// events are sent, too, and the alerts are compared with the expected ones: on AWS only
    /// services can emit their events.
    #[command(
        after_help = "Examples:\n  cargo xtask verify --org\n  cargo xtask verify --org --sample 20                  # as many accounts and Regions, at random\n  \
            cargo xtask verify --org --accounts 012345678901 --regions us-east-1\n  \
            cargo xtask verify --org --cloudtrail                 # takes up to 15 minutes\n  \
            cargo xtask verify --org --simulator\n  cargo xtask verify --org --simulator=http://127.0.0.1:4599"
    )]
    Verify {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        proof: ProofArguments,
    },
    /// Report where the organization differs from the compiled rules; exit code 5 if it does
    ///
    /// Five checks: `plan`, a deployment would change nothing; `instances`, every expected account
    /// and Region has a current stack instance and no other has one; `resources`, none was changed
    /// outside CloudFormation; `stacks`, none was changed outside its stack set; `chain`, every link
    /// from the trail to the subscribers works. Changes nothing; CloudFormation is asked to detect
    /// drift.
    #[command(
        after_help = "Examples:\n  cargo xtask drift --org\n  cargo xtask drift --org --only instances,chain --regions us-east-1\n  \
            cargo xtask drift --org --no-detect                  # makes no call that could change anything\n  \
            cargo xtask drift --org --deep                       # also reads the targets of every rule\n  \
            cargo xtask drift --org --format sarif > drift.sarif\n  cargo xtask drift --org --format junit > drift.xml"
    )]
    Drift {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        scope: DriftArguments,
    },
    /// Remove everything Gizmos deployed; the log buckets and their keys stay
    #[command(
        after_help = "Examples:\n  cargo xtask destroy --org\n  cargo xtask destroy --org --confirm o-exampleorg1   # no confirmation prompt"
    )]
    Destroy {
        #[command(flatten)]
        target: Target,
        /// The organization's id, to skip the confirmation prompt
        #[arg(long, value_name = "ORGANIZATION-ID")]
        confirm: Option<String>,
    },
    /// Count the alerts that the rules would have raised over CloudTrail logs
    ///
    /// Reads files, folders with everything below them, or a bucket: .json, .json.gz and JSON
    /// lines, in the layout of a trail or any other. Counts only what EventBridge would have
    /// delivered in the watched Regions, and each event once. Exits with 1 if a rule exceeds its `budget`.
    #[command(after_help = "Examples:\n  cargo xtask backtest logs/\n  \
            cargo xtask backtest s3://my-trail-bucket/AWSLogs/ --from 2026-11-01 --to 2026-11-07\n  \
            cargo xtask backtest logs/ --accounts 012345678901 --regions us-east-1,eu-central-1\n  \
            cargo xtask backtest logs/ --compare main --format markdown   # for a pull request\n  \
            cargo xtask backtest logs/ --compare v1.0..v1.1\n  \
            cargo xtask backtest logs/ --strict   # exit code 1 if any file is corrupt or foreign")]
    Backtest(BacktestArguments),
    /// Show what a rule compiles to: its pattern, where it runs, whom it notifies, and its alert
    #[command(
        after_help = "Examples:\n  cargo xtask explain root-usage\n  cargo xtask explain root-usage --format json"
    )]
    Explain {
        /// The rule's id
        #[arg(value_name = "RULE")]
        rule: String,
    },
    /// Show which rules fire on events, and why one doesn't
    ///
    /// Decides like EventBridge: a read-only call, a data event or a record over 256 KB isn't
    /// delivered, whatever a pattern says, and neither is an event of a Region that isn't watched.
    #[command(
        after_help = "FILE holds CloudTrail records or whole EventBridge events: one JSON document, {\"Records\": […]}, \
            or JSON lines; - is standard input.\n\n\
            Examples:\n  cargo xtask match rules/fixtures/iam-create-access-key.json\n  \
            cargo xtask match --why root-usage event.json   # each clause that fails, and the value it saw\n  \
            aws cloudtrail lookup-events --query 'Events[].CloudTrailEvent' --output json | jq '.[] | fromjson' | cargo xtask match -"
    )]
    Match {
        /// Explain the verdict of this rule on every event
        #[arg(long, value_name = "RULE")]
        why: Option<String>,
        /// Treat events of unwatched Regions as if `regions` listed them
        #[arg(long)]
        all_regions: bool,
        /// Files with events
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Compare the pattern engine with recorded verdicts; exit code 1 if they differ
    #[command(
        after_help = "A line is a JSON object with pattern, event and verdict (match, no_match, invalid); or aws_verdict and \
            aws_message in its place; or pattern and complexity; or target, event and outcome of an input transformer.\n\n\
            Example:\n  cargo xtask vectors crates/eventbridge-pattern/tests/data/pattern-vectors.jsonl.gz"
    )]
    Vectors {
        /// JSON lines, plain or .gz
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Write completions of `gizmos` for a shell
    #[command(
        after_help = "`cargo install --path crates/cli` installs the program itself.\n\nExamples:\n  \
            gizmos completions bash > ~/.local/share/bash-completion/completions/gizmos\n  \
            gizmos completions zsh > ~/.zfunc/_gizmos    # a folder of $fpath\n  \
            gizmos completions fish > ~/.config/fish/completions/gizmos.fish"
    )]
    Completions {
        /// Name of the shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// An embedded AWS Organization to try things on
    Simulator {
        #[command(subcommand)]
        command: SimulatorCommand,
    },
}

/// A command with a policy of its own.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PermissionsOf {
    /// Reading only, for pull requests; also for `doctor`
    Plan,
    /// Reading and drift detection, in every account
    Drift,
    /// Everything
    Deploy,
    /// Reading the alert chain
    Verify,
}

impl From<PermissionsOf> for deployer::permissions::Command {
    fn from(argument: PermissionsOf) -> Self {
        match argument {
            PermissionsOf::Plan => Self::Plan,
            PermissionsOf::Drift => Self::Drift,
            PermissionsOf::Deploy => Self::Deploy,
            PermissionsOf::Verify => Self::Verify,
        }
    }
}

/// The event and name of a new rule.
#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    /// Id of the rule: 3 to 48 of a-z, 0-9 and `-`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// File with the event
    #[arg(long, value_name = "FILE")]
    pub(crate) from_event: PathBuf,
    /// Number of the event in the file, starting at 1
    #[arg(long, value_name = "NUMBER")]
    pub(crate) record: Option<usize>,
    /// Folder of the rule [default: the folder with the most rules for that source]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) theme: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Sigma rules for product aws, service cloudtrail
    ///
    /// Each rule is imported exactly, imported with its losses stated, or refused with a reason.
    /// Exits with 0 if all were imported, 3 if some were refused, 64 if all were refused, and 1 if
    /// `check` finds an error in an imported rule or --verify finds a difference that no loss
    /// explains.
    #[command(
        after_help = "Examples:\n  cargo xtask import sigma aws_cloudtrail_disable_logging.yml\n  \
            cargo xtask import sigma sigma/rules/cloud/aws/cloudtrail --dry-run\n  \
            cargo xtask import sigma my-rules/ --verify records.jsonl.gz   # compare with Sigma over real records"
    )]
    Sigma(SigmaImportArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    /// Sigma rules for product aws, service cloudtrail
    ///
    /// Details that Sigma can't express are listed on standard error. Exits with 3 if some rules
    /// were refused, and with 64 if all were.
    #[command(
        after_help = "Examples:\n  cargo xtask export sigma iam-access-key-created\n  \
            cargo xtask export sigma --out sigma/   # all rules"
    )]
    Sigma(SigmaExportArguments),
}

/// The rules to export and their destination.
#[derive(Debug, Args)]
pub(crate) struct SigmaExportArguments {
    /// Ids of the rules [default: all]
    // Not named `rules`, because clap identifies arguments by name and `--rules` is global.
    #[arg(value_name = "RULE")]
    pub(crate) ids: Vec<String>,
    /// Write one file per rule into this folder, instead of printing them
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// The Sigma rules to import, and how.
#[derive(Debug, Args)]
pub(crate) struct SigmaImportArguments {
    /// Sigma rule files, or folders of them
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Folder for the rule files [default: sigma in the rules' folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// How to compare text
    #[arg(long, value_enum, default_value_t = CaseArgument::Ignore)]
    pub(crate) case: CaseArgument,
    /// SPDX identifier of the license for rules that name none; the public collection uses DRL-1.1
    #[arg(long, value_name = "ID")]
    pub(crate) license: Option<String>,
    /// Replace existing rule files
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Report what would be imported, but write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Compare the imported rules with the Sigma rules over CloudTrail records from a file, plain
    /// or .gz
    #[arg(long, value_name = "FILE")]
    pub(crate) verify: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CaseArgument {
    /// Ignore case as Sigma does, wherever EventBridge can
    Ignore,
    /// Match the case as written in the rule, which gives shorter patterns
    Exact,
}

impl From<CaseArgument> for sigma::Case {
    fn from(argument: CaseArgument) -> Self {
        match argument {
            CaseArgument::Ignore => Self::Ignore,
            CaseArgument::Exact => Self::Exact,
        }
    }
}

/// Strictness of a check, and whether it fixes files.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct CheckArguments {
    /// Apply fixes that are certainly right, then check
    #[arg(long)]
    pub(crate) fix: bool,
    /// Exit with 64 even if there are only warnings
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// List changes to the rules' patterns that no test would notice
    #[arg(long)]
    pub(crate) mutations: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GenerateMode {
    /// Write the pages that differ
    Write,
    /// List the pages that differ
    Check,
}

/// Options of a deployment.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeploymentArguments {
    /// Apply only this saved plan; refused if rules or organization changed since
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Allow the removal of any number of stack instances
    #[arg(long)]
    pub(crate) allow_delete: bool,
    /// Highest percentage of a stack set's instances that may be removed without --allow-delete
    #[arg(long, value_name = "PERCENT", default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) max_delete: u8,
    /// How long to wait for an operation; afterward the exit code is 7, and the operation continues
    #[arg(long, value_name = "MINUTES", default_value_t = 720)]
    pub(crate) time_limit: u64,
}

impl Default for DeploymentArguments {
    fn default() -> Self {
        Self {
            plan: None,
            allow_delete: false,
            max_delete: 20,
            time_limit: 720,
        }
    }
}

/// Checks of a drift run and their scope.
#[derive(Debug, Args)]
pub(crate) struct DriftArguments {
    /// Run only these checks
    #[arg(long, value_delimiter = ',', value_enum, value_name = "CHECK,…")]
    pub(crate) only: Vec<CheckArgument>,
    /// Check only these accounts
    #[arg(long, value_delimiter = ',', value_name = "ACCOUNT,…", value_parser = account)]
    pub(crate) accounts: Vec<String>,
    /// Check only these Regions
    #[arg(long, value_delimiter = ',', value_name = "REGION,…")]
    pub(crate) regions: Vec<String>,
    /// Don't run drift detection now; use CloudFormation's latest results
    #[arg(long)]
    pub(crate) no_detect: bool,
    /// Read the targets of every rule in every account and Region, one call for each; without it,
    /// only the hub's
    #[arg(long)]
    pub(crate) deep: bool,
}

impl From<&DriftArguments> for DriftOptions {
    fn from(arguments: &DriftArguments) -> Self {
        let mut options = Self {
            scope: Scope {
                accounts: arguments.accounts.iter().cloned().collect(),
                regions: arguments.regions.iter().cloned().collect(),
            },
            detect: !arguments.no_detect,
            deep: arguments.deep,
            ..Self::default()
        };
        if !arguments.only.is_empty() {
            options.checks = arguments.only.iter().map(|check| check.0).collect();
        }
        options
    }
}

/// What a verification proves.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ProofArguments {
    /// Send canaries only from these accounts
    #[arg(long, value_delimiter = ',', value_name = "ACCOUNT,…", value_parser = account)]
    pub(crate) accounts: Vec<String>,
    /// Send canaries only from these Regions
    #[arg(long, value_delimiter = ',', value_name = "REGION,…")]
    pub(crate) regions: Vec<String>,
    /// Send canaries only from so many accounts and Regions, chosen at random
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sample: Option<u32>,
    /// Prove the way from CloudTrail, too: call `ssm:DeleteParameters` for a name that never exists,
    /// and wait up to 15 minutes for its event; a rule of yours about this action alerts
    #[arg(long)]
    pub(crate) cloudtrail: bool,
    /// Ask what AWS's documents don't settle, see `stacksets/PROBES.md`; implies `--cloudtrail`
    #[arg(long)]
    pub(crate) probe: bool,
}

/// A drift check as a command line value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckArgument(DriftCheck);

impl ValueEnum for CheckArgument {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [CheckArgument; DriftCheck::ALL.len()] = [
            CheckArgument(DriftCheck::Plan),
            CheckArgument(DriftCheck::Instances),
            CheckArgument(DriftCheck::Resources),
            CheckArgument(DriftCheck::Stacks),
            CheckArgument(DriftCheck::Chain),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()))
    }
}

/// Input and scope of a backtest.
#[derive(Debug, Args)]
pub(crate) struct BacktestArguments {
    #[arg(
        value_name = "PATH",
        required = true,
        help = "Log files, folders of them, or s3://bucket/prefix"
    )]
    pub(crate) paths: Vec<String>,
    /// First day of events to include (UTC), such as 2026-11-01
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<Date>,
    /// Last day of events to include (UTC)
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<Date>,
    /// Include only events of these accounts
    #[arg(long, value_delimiter = ',', value_name = "ACCOUNT,…", value_parser = account)]
    pub(crate) accounts: Vec<String>,
    /// Include only events of these Regions
    #[arg(long, value_delimiter = ',', value_name = "REGION,…")]
    pub(crate) regions: Vec<String>,
    /// Count events of unwatched Regions too, as if `regions` listed them
    #[arg(long)]
    pub(crate) all_regions: bool,
    /// Count data events and network activity too, as if the trail selected them
    #[arg(long)]
    pub(crate) data_events: bool,
    /// Compare with the rules of one or two git revisions: BEFORE, or BEFORE..AFTER
    #[arg(long, value_name = "REV")]
    pub(crate) compare: Option<String>,
    /// Exit with 1 if a file is corrupt, truncated or not a log
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Parses an account id. Without leading zeros, an id would silently match nothing.
fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account's id has 12 digits".to_owned())
    }
}

/// The organization that a command works on.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The whole organization of the environment's AWS credentials
    #[arg(long, required = true, action = ArgAction::SetTrue)]
    pub(crate) org: bool,
    /// An embedded organization instead of AWS, or with a URL, a running `simulator serve`
    ///
    /// The caller is the management account, or another one named in the URL:
    /// `http://333344445555@127.0.0.1:4599`.
    #[arg(
        long,
        value_name = "URL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = EMBEDDED
    )]
    pub(crate) simulator: Option<String>,
}

/// The value of `--simulator` when it has no URL.
pub(crate) const EMBEDDED: &str = "embedded";

#[derive(Debug, Subcommand)]
pub(crate) enum SimulatorCommand {
    /// Serve the embedded organization on loopback until Ctrl-C
    #[command(
        after_help = "Examples:\n  cargo xtask simulator serve\n  cargo xtask simulator serve --accounts 50 --speed 600\n\n\
            Then, in another terminal:\n  export AWS_ENDPOINT_URL=http://127.0.0.1:4599 AWS_REGION=eu-central-1\n  \
            export AWS_ACCESS_KEY_ID=111122223333 AWS_SECRET_ACCESS_KEY=simulator   # the account id is the identity\n  \
            cargo xtask deploy --org\n  aws cloudformation list-stack-sets"
    )]
    Serve {
        /// Port on 127.0.0.1; 0 selects a free one
        #[arg(long, default_value_t = 4599)]
        port: u16,
        /// Number of workload accounts
        #[arg(long, default_value_t = 9)]
        accounts: usize,
        /// Regions of the organization, starting with the home Region
        #[arg(long, value_delimiter = ',', value_name = "REGION,…")]
        regions: Vec<String>,
        /// Virtual seconds per real second; with 0, the clock advances only while something waits
        #[arg(long, default_value_t = 60.0)]
        speed: f64,
        /// JSON file with faults to inject, in the form of `simulator::Faults`
        #[arg(long, value_name = "FILE")]
        faults: Option<PathBuf>,
    },
    /// Make an AWS service emit an event in an account and Region, and trace it
    #[command(
        after_help = "FILE holds CloudTrail records or whole EventBridge events: one JSON document, {\"Records\": […]}, \
            or JSON lines; - is standard input.\n\n\
            Examples:\n  cargo xtask simulator send --account 012345678901 --region us-east-1 event.json\n  \
            cargo xtask simulator send --endpoint http://127.0.0.1:4599 event.json"
    )]
    Send {
        /// URL of the running simulator
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4599")]
        endpoint: String,
        /// Account in which the event happens [default: the event's own, if the organization has it, or the first workload]
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        /// Region in which the event happens [default: the event's own]
        #[arg(long, value_name = "REGION")]
        region: Option<String>,
        /// File with the events
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show the alerts that reached a subscriber
    #[command(after_help = "Example:\n  cargo xtask simulator inbox")]
    Inbox {
        /// URL of the running simulator
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4599")]
        endpoint: String,
    },
}
