//! What each command does: asks the client library, and shows what it says.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches};
use obnova_client::{
    AuthorityRecord, BackupSetting, CertificateView, CleanupOptions, ClientError, Flow, GivenFields, Home, Inventory,
    Invitation, Journey, JourneyView, Preflight, Removal, RenewOptions, StoreSetting, SystemClock, anchor_file,
};
use obnova_lifecycle::document::Octets;
use obnova_pki::{Certificate, KeyKind};
use obnova_texts::{Language, Texts};
use serde_json::json;

use crate::arguments::{Arguments, Command, Common};
use obnova_client::words::days;

use crate::output::Output;
use crate::prompt::{Prompt, agreed};
use crate::{care, doctor, foreign, list, remind, transfer};

const WAITING: u8 = 3;

pub(crate) struct Context {
    pub(crate) home: Home,
    pub(crate) output: Output,
    pub(crate) prompt: Prompt,
    pub(crate) clock: SystemClock,
    pub(crate) extra: Vec<StoreSetting>,
    pub(crate) yes: bool,
    /// What flags say of copies of new keys in files.
    backup: Option<BackupSetting>,
}

impl Context {
    fn decided(&self, mut journey: Journey<'_>) -> Result<Flow, ClientError> {
        if let Some(setting) = &self.backup {
            journey.decide_backup(setting.clone());
        }
        journey.run(&mut self.output.clone())
    }
}

/// Reads the arguments and does what they say.
pub(crate) fn run() -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok();
    let asked = obnova_texts::asked_language();
    let language = Language::choose(asked.as_deref(), variable("LC_ALL").as_deref(), variable("LANG").as_deref());
    let texts = Texts::new(language);
    let command = obnova_texts::speaking(Arguments::command(), texts, "obnova");
    let arguments = match command.try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => obnova_texts::explain(&error, texts),
    };
    let common = arguments.common;
    let output = Output { texts, json: common.json };
    let context = match context(&common, texts, output) {
        Ok(context) => context,
        Err(error) => {
            output.error(&error);
            return ExitCode::FAILURE;
        }
    };
    perform(&context, arguments.command).unwrap_or_else(|error| {
        output.error(&error);
        if ["store-full", "write-failed", "not-stored"].contains(&error.code.as_str()) {
            care::after_a_full_device(&context);
        }
        ExitCode::FAILURE
    })
}

fn context(common: &Common, texts: Texts, output: Output) -> Result<Context, ClientError> {
    let mut extra: Vec<StoreSetting> =
        common.module.iter().cloned().map(|path| StoreSetting::Module { path, room: None, reserve: false }).collect();
    extra.extend(common.file.iter().cloned().map(StoreSetting::File));
    Ok(Context {
        home: Home::open(&common.home.clone().unwrap_or_else(Home::default_folder))?,
        output,
        prompt: Prompt::new(texts, common),
        clock: SystemClock { behind: Duration::from_secs(common.demo_days_back * 86_400) },
        extra,
        yes: common.yes,
        backup: match &common.backup_to {
            Some(folder) => Some(BackupSetting::To(std::path::absolute(folder)?)),
            None => common.no_backup.then_some(BackupSetting::Refused(false)),
        },
    })
}

fn key_kind(text: Option<&str>) -> Result<Option<KeyKind>, ClientError> {
    Ok(Some(match text {
        None => return Ok(None),
        Some("p256") => KeyKind::P256,
        Some("p384") => KeyKind::P384,
        Some("rsa2048") => KeyKind::Rsa(2048),
        Some("rsa3072") => KeyKind::Rsa(3072),
        Some("rsa4096") => KeyKind::Rsa(4096),
        Some(other) => return Err(ClientError::new("key-kind-unsupported", other)),
    }))
}

/// Opens all stores; PKCS#12 files are opened with their password when one can be had, each for itself.
pub(crate) fn unlocked(context: &Context) -> Result<Inventory, ClientError> {
    let mut inventory = Inventory::open(&context.home, &context.extra)?;
    inventory.open_files(&context.prompt);
    Ok(inventory)
}

pub(crate) fn find(context: &Context, inventory: &Inventory, text: &str) -> Result<(String, Certificate), ClientError> {
    use obnova_client::Clock;
    inventory.meant_certificate(text, context.clock.now())
}

fn perform(context: &Context, command: Command) -> Result<ExitCode, ClientError> {
    let texts = context.output.texts;
    match command {
        Command::List { words } => list::list(context, &words),
        Command::Show { certificate } => {
            use obnova_client::Clock;
            let inventory = unlocked(context)?;
            let (store, found) = find(context, &inventory, &certificate)?;
            let plain = CertificateView::of(&found, &store, context.clock.now());
            let view = inventory.views(context.clock.now()).into_iter().find(|view| view.sha256 == plain.sha256);
            let view = view.unwrap_or(plain);
            context.output.data(&card(texts, &view), &view);
            Ok(ExitCode::SUCCESS)
        }
        Command::Enroll { invitation: path, store, key } => {
            let invited = Invitation::read(&path)?;
            let inventory = Inventory::open(&context.home, &context.extra)?;
            let key = key_kind(key.as_deref())?;
            let journey =
                Journey::enroll(&context.home, &inventory, &store, &invited, key, &context.prompt, &context.clock)?;
            let id = journey.id();
            let flow = context.decided(journey)?;
            finish(context, &[id], &flow)
        }
        Command::Renew {
            certificate,
            all,
            dry_run,
            key,
            early,
            to_file,
            onto,
            lose_old_mail,
            lose_abilities,
            cmp,
            est,
            anchor,
            tls_sha256,
            cmp_signer,
        } => {
            if certificate.is_none() && !all {
                return Err(ClientError::new("choose-certificate", "obnova renew --all | obnova renew SERIAL"));
            }
            match (cmp, est, anchor) {
                (Some(cmp), _, Some(anchor)) => {
                    trust(context, (&cmp, false), &anchor, tls_sha256, cmp_signer.as_deref())?;
                }
                (None, Some(est), Some(anchor)) => trust(context, (&est, true), &anchor, tls_sha256, None)?,
                _ => {}
            }
            // A journal outlives the folder that the command was typed in.
            let file = to_file.map(std::path::absolute).transpose()?;
            let options = RenewOptions {
                only: certificate,
                key: key_kind(key.as_deref())?,
                early,
                file,
                lose_old_mail,
                onto,
                store: None,
                lose_abilities,
            };
            renew(context, &options, dry_run)
        }
        Command::Status => {
            let journeys = JourneyView::all(&context.home, &context.clock)?;
            let mut text = String::new();
            for journey in &journeys {
                let state = texts.get(if journey.finished { "journey-finished" } else { "journey-open" }, &[]);
                text.push_str(&format!("{}  {state}  {}\n", journey.id, journey.authority));
                for item in &journey.items {
                    let station = texts.get(&format!("station-{}", item.station), &[]);
                    let mut why = item.refused.clone().unwrap_or_default();
                    if item.not_taken {
                        why = format!("{} {why}", texts.get("item-not-taken", &[]));
                    }
                    text.push_str(&format!("  {}: {station} {why}\n", texts.get(&format!("kind-{}", item.kind), &[])));
                }
            }
            context.output.data(text.trim_end(), &journeys);
            let waiting = journeys.iter().any(|journey| !journey.finished);
            Ok(if waiting { ExitCode::from(WAITING) } else { ExitCode::SUCCESS })
        }
        Command::Resume { invitation: path, ask_again } => resume(context, path.as_deref(), ask_again),
        Command::Install => resume(context, None, false),
        Command::Prove { certificate } => prove(context, &certificate),
        Command::Register { certificate, with } => register(context, &certificate, with.as_deref()),
        Command::Request { certificate, authority, anchor, field, key, early } => {
            let fields = GivenFields::parse(&field)?;
            let options = RenewOptions {
                only: Some(certificate),
                key: key_kind(key.as_deref())?,
                early,
                ..RenewOptions::default()
            };
            foreign::request(context, authority.as_deref(), anchor.as_deref(), fields, &options)
        }
        Command::Adopt { anchor } => foreign::adopt(context, anchor.as_deref()),
        Command::Pickup { source } => foreign::pick_up(context, &source),
        Command::Account { certificate, told, copy } => foreign::account(context, &certificate, &told, copy),
        Command::Retire { certificate, typed, lose_old_mail } => {
            let inventory = Inventory::open(&context.home, &context.extra)?;
            let (home, prompt, clock) = (&context.home, &context.prompt, &context.clock);
            let removal =
                Removal::check(home, &inventory, &certificate, (lose_old_mail, typed.as_deref()), prompt, clock)?;
            context.output.line(&card(texts, &removal.view(&context.clock)));
            if !agreed(texts, &texts.get("ask-retire", &[("serial", &certificate)]), context.yes) {
                return Err(ClientError::new("not-agreed", certificate));
            }
            let done = removal.carry_out(&context.home)?;
            let archive = done.archive.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
            context.output.data(
                &texts.get("retired-to", &[("archive", &archive)]),
                &json!({ "retired": done.serial, "archive": archive }),
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Pin { command } => care::pin(context, command),
        Command::Token { command } => care::token(context, command),
        Command::Clean { store, dry_run, lose_old_mail, give_up, unrelated } => {
            let options = CleanupOptions { store, lose_old_mail, given_up: give_up, unrelated };
            care::clean(context, &options, dry_run)
        }
        Command::Restore { certificate } => care::undo(context, &certificate),
        Command::Import { source, store } => transfer::import(context, &source, store.as_deref()),
        Command::Bring { certificate, store } => transfer::bring(context, &certificate, store.as_deref()),
        Command::Chain { store } => transfer::chain(context, store.as_deref()),
        Command::Export { certificate, to, with_key, pbmac1, der } => {
            transfer::export(context, &certificate, &to, with_key.then_some(pbmac1), der)
        }
        Command::Backup { store, to } => transfer::backup(context, store.as_deref(), &to),
        Command::Remind { notify, ics, install, uninstall } => match install || uninstall {
            true => remind::schedule(context, install),
            false => remind::remind(context, notify, ics.as_deref()),
        },
        Command::Doctor { repair, bundle, message, administrator } => {
            doctor::doctor(context, repair, bundle.as_deref(), message.as_deref(), administrator.as_deref())
        }
        Command::Generate { to } => generate(context, &to),
    }
}

/// Remembers a CMP or EST authority that was given by address and trust anchor.
fn trust(
    context: &Context,
    (address, is_est): (&str, bool),
    anchor: &Path,
    tls_sha256: Option<String>,
    signer: Option<&Path>,
) -> Result<(), ClientError> {
    let certificate = anchor_file(anchor)?;
    let mut record = AuthorityRecord::by_address(address, is_est, &certificate, tls_sha256)?;
    record.signer = signer.map(anchor_file).transpose()?.map(|signer| Octets(signer.der().to_vec()));
    context.home.remember(&record)
}

pub(crate) fn card(texts: Texts, view: &CertificateView) -> String {
    let word = |key: &str| texts.get(key, &[]);
    let mut lines = vec![
        format!("{} – {}", word(&format!("kind-{}", view.kind)), view.name),
        format!("  {:<18} {}", word("serial-number"), view.decimal),
        format!("  {:<18} 0x{}", "", view.hexadecimal),
        format!("  {:<18} {}", word("issuer"), view.issuer),
        format!("  {:<18} {}", word("holder"), view.subject),
        format!(
            "  {:<18} {} – {}  ({})",
            word("validity"),
            view.not_before,
            view.not_after,
            days(texts, view.days_left)
        ),
        format!("  {:<18} {}", word("key"), view.key),
        format!("  {:<18} {}", word("store"), view.store),
    ];
    let until = view.device_until.clone().unwrap_or_default();
    match view.device {
        Some(code) => lines.push(format!("  {}", texts.get(&format!("device-{code}"), &[("until", &until)]))),
        None if view.qualified_device => lines.push(format!("  {}", word("claims-device"))),
        None => {}
    }
    if let Some(code) = view.unfit {
        lines.push(format!("  {}", word(&format!("unfit-{code}"))));
    }
    lines.join("\n")
}

fn renew(context: &Context, options: &RenewOptions, dry_run: bool) -> Result<ExitCode, ClientError> {
    let inventory = Inventory::open(&context.home, &context.extra)?;
    renew_in(context, &inventory, &context.prompt, options, dry_run)
}

/// Shows the plan, asks where something goes, and walks it.
pub(crate) fn renew_in(
    context: &Context,
    inventory: &Inventory,
    prompt: &Prompt,
    options: &RenewOptions,
    dry_run: bool,
) -> Result<ExitCode, ClientError> {
    let texts = context.output.texts;
    let preflight = Preflight::renew(&context.home, inventory, options, prompt, &context.clock)?;
    let view = preflight.view.clone();
    let mut lines = vec![texts.get("plan-title", &[("store", &view.store_name), ("authority", &view.authority)])];
    for item in &view.items {
        let kind = texts.get(&format!("kind-{}", item.certificate.kind), &[]);
        let verdict = texts.get(&format!("reason-{}", item.verdict), &[]);
        lines.push(format!("  {kind}, {}: {verdict}", days(texts, item.certificate.days_left)));
        lines.extend(obnova_client::words::key_change(texts, item).into_iter().map(|line| format!("    {line}")));
    }
    if let Some(file) = &view.file {
        lines.push(format!("  {}", texts.get("plan-file", &[("file", file)])));
    }
    for removed in &view.removed {
        let kind = texts.get(&format!("kind-{}", removed.kind), &[]);
        lines.push(format!("  {}", texts.get("plan-removes", &[("kind", &kind), ("serial", &removed.decimal)])));
    }
    for (who, why) in &view.must_act {
        let (who, why) = (texts.get(&format!("who-{who}"), &[]), texts.get(&format!("must-act-{why}"), &[]));
        lines.push(format!("  ! {who}: {why}"));
    }
    context.output.line(&lines.join("\n"));
    if !preflight.is_ready() {
        context.output.data("", &json!({ "plan": view }));
        let why =
            view.items.iter().map(|item| item.verdict.as_str()).find(|verdict| !["issue", "unasked"].contains(verdict));
        let why = why.map(str::to_owned).or_else(|| view.must_act.first().map(|(_, why)| why.clone()));
        return Err(match why {
            Some(why) => ClientError::new("nobody-made-a-key", why),
            None => ClientError::new("nothing-due", view.store_name),
        });
    }
    if dry_run {
        context.output.data("", &json!({ "plan": view }));
        return Ok(ExitCode::SUCCESS);
    }
    if !view.removed.is_empty() && !agreed(texts, &texts.get("ask-make-room", &[]), context.yes) {
        return Err(ClientError::new("not-agreed", view.store_name));
    }
    let journey = Journey::begin(&context.home, preflight, prompt, &context.clock)?;
    let id = journey.id();
    let flow = context.decided(journey)?;
    finish(context, &[id], &flow)
}

pub(crate) fn resume(context: &Context, path: Option<&Path>, ask_again: bool) -> Result<ExitCode, ClientError> {
    let invited = path.map(Invitation::read).transpose()?;
    let inventory = Inventory::open(&context.home, &context.extra)?;
    let open: Vec<String> = JourneyView::all(&context.home, &context.clock)?
        .into_iter()
        .filter(|journey| !journey.finished)
        .map(|journey| journey.id)
        .collect();
    if open.is_empty() {
        context.output.line(&context.output.texts.get("nothing-open", &[]));
        context.output.data("", &json!({ "journeys": [] }));
        return Ok(ExitCode::SUCCESS);
    }
    let mut worst = Flow::Done;
    let mut failed = None;
    for id in &open {
        let path: PathBuf = context.home.folder().join("journeys").join(format!("{id}.journal"));
        let walked =
            Journey::resume(&context.home, &path, &inventory, invited.as_ref(), &context.prompt, &context.clock)
                .and_then(|mut journey| {
                    if ask_again {
                        journey.ask_again()?;
                    }
                    context.decided(journey)
                });
        match walked {
            Ok(flow) => worst = worst.and(flow),
            // A PIN that was refused is not sent again for the next one; anything else stops only its own journey.
            Err(error) if error.code.starts_with("pin-") => return Err(error),
            Err(error) => {
                if let Some(earlier) = failed.replace(error) {
                    context.output.error(&earlier);
                }
            }
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    finish(context, &open, &worst)
}

fn finish(context: &Context, ids: &[String], flow: &Flow) -> Result<ExitCode, ClientError> {
    let texts = context.output.texts;
    let journeys: Vec<JourneyView> = JourneyView::all(&context.home, &context.clock)?
        .into_iter()
        .filter(|journey| ids.contains(&journey.id))
        .collect();
    let mut text = String::new();
    for item in journeys.iter().flat_map(|journey| &journey.items) {
        if let Some(view) = &item.successor {
            text.push_str(&card(texts, view));
            if let Some(draft) = &item.draft {
                text.push_str(&format!("\n  {draft}"));
            }
            if item.registered {
                text.push_str(&format!("\n  {}", texts.get("registered-in-account", &[])));
            }
            text.push('\n');
        }
    }
    let (code, data) = match flow {
        Flow::Done => {
            context.output.line(&texts.get("done", &[]));
            (ExitCode::SUCCESS, json!({ "state": "done", "journeys": journeys }))
        }
        Flow::Waiting { check_after, reason } => {
            let why = reason.as_deref().unwrap_or("later");
            let key = format!("reason-{why}");
            let why = if texts.has(&key) { texts.get(&key, &[]) } else { why.to_owned() };
            context.output.line(&texts.get("waiting", &[("why", &why)]));
            let data =
                json!({ "state": "waiting", "check_after": check_after, "reason": reason, "journeys": journeys });
            (ExitCode::from(WAITING), data)
        }
        Flow::Tell(accounts) => {
            for account in accounts {
                let words = [("account", account.name.as_str()), ("page", &account.page)];
                context.output.line(&texts.get("account-tell", &words));
            }
            (ExitCode::from(WAITING), json!({ "state": "tell", "accounts": accounts, "journeys": journeys }))
        }
        Flow::NotTaken(why) => {
            context.output.data(text.trim_end(), &json!({ "state": "not-taken", "why": why, "journeys": journeys }));
            return Err(ClientError::new("certificate-not-taken", why));
        }
        Flow::Refused(why) => {
            context.output.data(text.trim_end(), &json!({ "state": "refused", "why": why, "journeys": journeys }));
            return Err(ClientError::new("authority-refused", why));
        }
    };
    context.output.data(text.trim_end(), &data);
    Ok(code)
}

fn prove(context: &Context, text: &str) -> Result<ExitCode, ClientError> {
    let inventory = unlocked(context)?;
    let (store, certificate) = find(context, &inventory, text)?;
    inventory.prove(&store, &certificate, &context.prompt, &context.clock)?;
    context.output.data(
        &context.output.texts.get("proven", &[("serial", &certificate.serial().to_string())]),
        &json!({ "proven": certificate.serial().hexadecimal() }),
    );
    Ok(ExitCode::SUCCESS)
}

fn register(context: &Context, text: &str, with: Option<&str>) -> Result<ExitCode, ClientError> {
    // Journeys that wait for their registration go on first.
    if JourneyView::all(&context.home, &context.clock)?.iter().any(|journey| !journey.finished) {
        resume(context, None, false)?;
    }
    let inventory = unlocked(context)?;
    let (store, certificate) = find(context, &inventory, text)?;
    if let Some(with) = with {
        let (place, opens) = find(context, &inventory, with)?;
        inventory.introduce(&context.home, &certificate, (&place, &opens), &context.prompt, &context.clock)?;
    }
    let outcome = inventory.rehearse(&context.home, &store, &certificate, &context.prompt, &context.clock)?;
    match outcome {
        obnova_client::LoginOutcome::Opened { account, bound } => {
            context.output.data(
                &context.output.texts.get("login-works", &[("account", &account)]),
                &json!({ "account": account, "bound": bound }),
            );
            Ok(ExitCode::SUCCESS)
        }
        obnova_client::LoginOutcome::Explained(code) => Err(ClientError::new("login-failed", code)),
    }
}

/// Completions for shells and manual pages, for those who pack the program.
fn generate(context: &Context, to: &Path) -> Result<ExitCode, ClientError> {
    let failed = |error: std::io::Error| ClientError::new("file-error", format!("{}: {error}", to.display()));
    std::fs::create_dir_all(to).map_err(failed)?;
    for language in [Language::English, Language::Czech] {
        let command = obnova_texts::speaking(Arguments::command(), Texts::new(language), "obnova");
        let folder = match language {
            Language::English => to.join("man"),
            Language::Czech => to.join("man").join("cs"),
        };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        clap_mangen::generate_to(command.clone(), &folder).map_err(failed)?;
        if language == Language::English {
            use clap_complete::Shell;
            let mut command = command;
            for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
                clap_complete::generate_to(shell, &mut command, "obnova", to).map_err(failed)?;
            }
        }
    }
    context.output.data("", &json!({ "generated": to.display().to_string() }));
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_flag_has_words() {
        for language in [Language::Czech, Language::English] {
            let missing = obnova_texts::wordless(&Arguments::command(), Texts::new(language), "obnova");
            assert!(missing.is_empty(), "{language:?}: {missing:?}");
        }
        // The tree is sound in itself, too.
        obnova_texts::speaking(Arguments::command(), Texts::new(Language::Czech), "obnova").debug_assert();
    }
}
