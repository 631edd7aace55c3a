//! The command line: verbs of the road, and a flag for each prompt.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Certificates on tokens and in files, renewed without ever being without one.
#[derive(Parser)]
#[command(
    name = "obnova",
    version,
    before_help = "Examples:\n  obnova list                     what I have, and until when\n  obnova renew --all              renew everything that is due, in a safe order\n  obnova resume                   go on after a break, a pulled token or a day of waiting",
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 waiting for the authority."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Args)]
pub(crate) struct Common {
    /// Folder of settings, journals and archive (default: the system's place for such things, or OBNOVA_HOME).
    #[arg(long, global = true)]
    pub(crate) home: Option<PathBuf>,
    /// Language: cs or en (default: LC_ALL, then LANG).
    #[arg(long, global = true)]
    pub(crate) lang: Option<String>,
    /// Print data as JSON on standard output; progress is then JSON lines on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Plain lines, nothing redrawn: for screen readers and logs.
    #[arg(long, global = true)]
    pub(crate) plain: bool,
    /// Read the PIN or password from the first line of standard input.
    #[arg(long, global = true)]
    pub(crate) pin_stdin: bool,
    /// Read the PIN or password from a file.
    #[arg(long, global = true)]
    pub(crate) pin_file: Option<PathBuf>,
    /// Read the password of PKCS#12 files from a file, when it is not the PIN of the token.
    #[arg(long, global = true)]
    pub(crate) file_password_file: Option<PathBuf>,
    /// Allow the last PIN try to be spent.
    #[arg(long, global = true)]
    pub(crate) last_try: bool,
    /// Answer yes where a question would be asked.
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// A further PKCS#11 module.
    #[arg(long, global = true)]
    pub(crate) module: Vec<PathBuf>,
    /// A further PKCS#12 file.
    #[arg(long, global = true)]
    pub(crate) file: Vec<PathBuf>,
    /// Days that the clock is set back; for demonstrations.
    #[arg(long, global = true, hide = true, default_value_t = 0)]
    pub(crate) demo_days_back: u64,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List certificates of all stores.
    List,
    /// Show one certificate, with its serial number in both notations.
    Show {
        /// Serial number, decimal or hexadecimal, or kind (qualified, commercial).
        certificate: String,
    },
    /// Get a first certificate by an invitation.
    Enroll {
        /// The invitation (JSON) from the registration office.
        #[arg(long)]
        invitation: PathBuf,
        /// Store: its name or a part of its identifier.
        #[arg(long)]
        store: String,
        /// Kind of the key: p256, p384, rsa3072, rsa4096.
        #[arg(long)]
        key: Option<String>,
    },
    /// Renew certificates: one, or all that are due as one plan.
    Renew {
        /// Serial number or kind; with --all everything that is due.
        certificate: Option<String>,
        /// Everything that is due.
        #[arg(long, conflicts_with = "certificate")]
        all: bool,
        /// Only show the plan.
        #[arg(long)]
        dry_run: bool,
        /// Kind of the new keys: p256, p384, rsa3072, rsa4096.
        #[arg(long)]
        key: Option<String>,
        /// Also before the renewal window opens.
        #[arg(long)]
        early: bool,
        /// PKCS#12 file for a certificate that finds no room on the device.
        #[arg(long)]
        to_file: Option<PathBuf>,
        /// I agree to lose what only a key that makes room can decrypt.
        #[arg(long)]
        lose_old_mail: bool,
        /// A CMP authority that is not known yet: its address.
        #[arg(long, requires = "anchor")]
        cmp: Option<String>,
        /// Its trust anchor (PEM or DER).
        #[arg(long)]
        anchor: Option<PathBuf>,
        /// SHA-256 of the root of its TLS certificate, when the address is https.
        #[arg(long)]
        tls_sha256: Option<String>,
    },
    /// Show journeys and where they stand.
    Status,
    /// Go on with every journey that is not finished.
    Resume {
        /// The invitation again, for a first certificate.
        #[arg(long)]
        invitation: Option<PathBuf>,
    },
    /// Install a certificate that came: goes on with its journey.
    Install,
    /// Sign a fresh challenge with a certificate's key and verify it.
    Prove {
        /// Serial number or kind.
        certificate: String,
    },
    /// Tell the account about a successor, or log in to see what it knows.
    Register {
        /// Serial number or kind of the certificate that the account is to know.
        certificate: String,
        /// Another certificate that opens the account today: the first one is added by its serial number.
        #[arg(long)]
        with: Option<String>,
    },
    /// Remove an old certificate with its key, when the rules allow it.
    Retire {
        /// Serial number.
        certificate: String,
        /// I agree to lose what only this key can decrypt.
        #[arg(long)]
        lose_old_mail: bool,
    },
    /// Check what a help desk would ask for.
    Doctor,
}
