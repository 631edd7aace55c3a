//! The command line: verbs of the road, and a flag for each prompt. What each is for is said in the texts
//! (`help-obnova-...`).

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Certificates on tokens and in files, renewed without ever being without one.
#[derive(Parser)]
#[command(name = "obnova", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Args)]
pub(crate) struct Common {
    #[arg(long, global = true)]
    pub(crate) home: Option<PathBuf>,
    #[arg(long, global = true)]
    pub(crate) lang: Option<String>,
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[arg(long, global = true)]
    pub(crate) plain: bool,
    #[arg(long, global = true)]
    pub(crate) pin_stdin: bool,
    #[arg(long, global = true)]
    pub(crate) pin_file: Option<PathBuf>,
    #[arg(long, global = true)]
    pub(crate) file_password_file: Option<PathBuf>,
    #[arg(long, global = true)]
    pub(crate) onto_pin_file: Option<PathBuf>,
    #[arg(long, global = true, conflicts_with = "no_backup")]
    pub(crate) backup_to: Option<PathBuf>,
    #[arg(long, global = true)]
    pub(crate) no_backup: bool,
    #[arg(long, global = true)]
    pub(crate) last_try: bool,
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    #[arg(long, global = true)]
    pub(crate) module: Vec<PathBuf>,
    #[arg(long, global = true)]
    pub(crate) file: Vec<PathBuf>,
    #[arg(long, global = true, hide = true, default_value_t = 0)]
    pub(crate) demo_days_back: u64,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    List {
        words: Vec<String>,
    },
    Show {
        certificate: String,
    },
    Enroll {
        #[arg(long)]
        invitation: PathBuf,
        #[arg(long)]
        store: String,
        #[arg(long)]
        key: Option<String>,
    },
    Renew {
        certificate: Option<String>,
        #[arg(long, conflicts_with = "certificate")]
        all: bool,
        #[arg(long)]
        dry_run: bool,
        #[arg(long)]
        key: Option<String>,
        #[arg(long)]
        early: bool,
        #[arg(long)]
        to_file: Option<PathBuf>,
        #[arg(long)]
        onto: Option<String>,
        #[arg(long)]
        lose_old_mail: bool,
        #[arg(long)]
        lose_abilities: bool,
        #[arg(long, requires = "anchor", conflicts_with = "est")]
        cmp: Option<String>,
        #[arg(long, requires = "anchor")]
        est: Option<String>,
        #[arg(long)]
        anchor: Option<PathBuf>,
        #[arg(long)]
        tls_sha256: Option<String>,
        #[arg(long, requires = "cmp")]
        cmp_signer: Option<PathBuf>,
    },
    Request {
        certificate: String,
        #[arg(long)]
        authority: Option<String>,
        #[arg(long)]
        anchor: Option<PathBuf>,
        #[arg(long)]
        field: Vec<String>,
        #[arg(long)]
        key: Option<String>,
        #[arg(long)]
        early: bool,
    },
    Adopt {
        #[arg(long)]
        anchor: Option<PathBuf>,
    },
    Pickup {
        source: String,
    },
    Account {
        certificate: String,
        #[arg(long)]
        told: Vec<String>,
        #[arg(long)]
        copy: bool,
    },
    Status,
    Resume {
        #[arg(long)]
        invitation: Option<PathBuf>,
        #[arg(long)]
        ask_again: bool,
    },
    Install,
    Prove {
        certificate: String,
    },
    Register {
        certificate: String,
        #[arg(long)]
        with: Option<String>,
    },
    Retire {
        certificate: String,
        #[arg(long)]
        typed: Option<String>,
        #[arg(long)]
        lose_old_mail: bool,
    },
    Pin {
        #[command(subcommand)]
        command: PinCommand,
    },
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    Clean {
        #[arg(long)]
        store: Option<String>,
        #[arg(long)]
        dry_run: bool,
        #[arg(long)]
        lose_old_mail: bool,
        #[arg(long)]
        give_up: Vec<String>,
        #[arg(long)]
        unrelated: Vec<String>,
    },
    Restore {
        certificate: String,
    },
    Import {
        source: PathBuf,
        #[arg(long)]
        store: Option<String>,
    },
    Bring {
        certificate: String,
        #[arg(long)]
        store: Option<String>,
    },
    Chain {
        #[arg(long)]
        store: Option<String>,
    },
    Export {
        certificate: String,
        #[arg(long)]
        to: PathBuf,
        #[arg(long)]
        with_key: bool,
        #[arg(long, requires = "with_key")]
        pbmac1: bool,
        #[arg(long, conflicts_with = "with_key")]
        der: bool,
    },
    Backup {
        #[arg(long)]
        store: Option<String>,
        #[arg(long)]
        to: PathBuf,
    },
    Remind {
        #[arg(long)]
        notify: bool,
        #[arg(long)]
        ics: Option<PathBuf>,
        #[arg(long, conflicts_with = "uninstall")]
        install: bool,
        #[arg(long)]
        uninstall: bool,
    },
    Doctor {
        #[arg(long)]
        repair: bool,
        #[arg(long)]
        bundle: Option<PathBuf>,
        #[arg(long)]
        message: Option<PathBuf>,
        #[arg(long)]
        administrator: Option<PathBuf>,
    },
    #[command(hide = true)]
    Generate {
        to: PathBuf,
    },
}

/// What to do with a device.
#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    Info,
    Name {
        name: String,
        #[arg(long)]
        store: Option<String>,
    },
    Initialise {
        #[arg(long)]
        store: Option<String>,
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        typed: Option<String>,
        #[arg(long)]
        puk_file: Option<PathBuf>,
        #[arg(long)]
        new_pin_file: Option<PathBuf>,
    },
}

/// What to do with a PIN.
#[derive(Subcommand)]
pub(crate) enum PinCommand {
    Status {
        #[arg(long)]
        store: Option<String>,
    },
    Verify {
        #[arg(long)]
        store: Option<String>,
    },
    Change {
        #[arg(long)]
        store: Option<String>,
        #[arg(long)]
        new_pin_file: Option<PathBuf>,
    },
    ChangePuk {
        #[arg(long)]
        store: Option<String>,
        #[arg(long)]
        puk_file: Option<PathBuf>,
        #[arg(long)]
        new_puk_file: Option<PathBuf>,
    },
    Unblock {
        #[arg(long)]
        store: Option<String>,
        #[arg(long)]
        puk_file: Option<PathBuf>,
        #[arg(long)]
        new_pin_file: Option<PathBuf>,
    },
}
