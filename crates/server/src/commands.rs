//! The commands of the server program, and how its roles are put together.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use obnova_ca::{Authority, CeremonyOptions, ISSUERS};
use obnova_crypto::Secret;
use obnova_idp::{Identity, TrustedIssuer};
use obnova_lifecycle::document::IdentityAddress;
use obnova_pki::{Certificate, KeyKind, Serial};
use obnova_serve::clock::ServerClock;
use obnova_serve::config::Config;
use obnova_serve::listener::{self, ClientCertificates};
use obnova_serve::mail::Sender;
use obnova_serve::{ServeError, audit, mail};
use obnova_texts::{Language, Texts};
use serde_json::json;

use crate::handshake::Shown;
use crate::output::say;

/// The authority and the identity space of obnova.
#[derive(Parser)]
#[command(name = "obnova-server", version)]
struct Arguments {
    #[arg(long, global = true, default_value = ".")]
    dir: PathBuf,
    #[arg(long, global = true)]
    passphrase_file: Option<PathBuf>,
    #[arg(long, global = true)]
    json: bool,
    #[arg(long, global = true)]
    lang: Option<String>,
    #[arg(long, global = true, default_value_t = 0)]
    demo_days_back: u64,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init {
        #[arg(long)]
        organisation: String,
        #[arg(long, default_value = "")]
        prefix: String,
        #[arg(long, default_value = "p384")]
        issuer_key: String,
    },
    Ceremony {
        #[arg(long)]
        root_key: Option<PathBuf>,
        #[arg(long)]
        all: bool,
    },
    Run,
    Invite {
        applicant: String,
        #[arg(long)]
        profile: String,
    },
    Office {
        #[command(subcommand)]
        command: Office,
    },
    Request {
        #[command(subcommand)]
        command: Request,
    },
    Account {
        #[command(subcommand)]
        command: Account,
    },
    Revoke {
        issuer: String,
        serial: String,
        #[arg(long, default_value = "superseded")]
        reason: String,
    },
    Health,
}

#[derive(Subcommand)]
enum Office {
    Import { file: PathBuf },
}

#[derive(Subcommand)]
enum Request {
    List,
    Approve {
        id: String,
    },
    Refuse {
        id: String,
        #[arg(long)]
        why: String,
    },
}

#[derive(Subcommand)]
enum Account {
    Add {
        login: String,
        #[arg(long)]
        name: String,
        #[arg(long)]
        email: String,
        #[arg(long)]
        organisation: String,
        #[arg(long)]
        administrator: bool,
    },
    Bind {
        login: String,
        #[arg(long)]
        issuer: String,
        #[arg(long)]
        serial: String,
    },
    Show {
        login: String,
    },
}

struct Context {
    config: Config,
    passphrase: Secret,
    clock: ServerClock,
    json: bool,
    texts: Texts,
}

/// Whether a database address carries a password.
fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
    let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    user.is_some_and(|user| user.contains(':')) || url.contains("password=")
}

/// Refuses a file with a secret that others on this machine may read.
fn demand_private(file: &Path) -> Result<(), ServeError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let meta = std::fs::metadata(file).map_err(|error| ServeError::new(file.display(), error))?;
        if meta.is_file() && meta.permissions().mode() & 0o077 != 0 {
            let words = format!("others may read this secret; run: chmod 600 {}", file.display());
            return Err(ServeError::new(file.display(), words));
        }
    }
    Ok(())
}

fn passphrase(file: Option<&Path>) -> Result<Secret, ServeError> {
    let file =
        file.ok_or_else(|| ServeError::new("passphrase", "give --passphrase-file FILE (\"-\" reads standard input)"))?;
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        demand_private(file)?;
        text = std::fs::read_to_string(file).map_err(|error| ServeError::new(file.display(), error))?;
    }
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads the arguments and does what they say.
pub(crate) fn run() -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok();
    let asked = obnova_texts::asked_language();
    let language = Language::choose(asked.as_deref(), variable("LC_ALL").as_deref(), variable("LANG").as_deref());
    let texts = Texts::new(language);
    let command = obnova_texts::speaking(Arguments::command(), texts, "server");
    let arguments = match command.try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => obnova_texts::explain(&error, texts),
    };
    let done = tokio::runtime::Runtime::new().map_err(ServeError::from).and_then(|runtime| {
        runtime.block_on(async {
            let config = Config::read(&arguments.dir)?;
            if [&config.authority.database, &config.identity.database].into_iter().any(|url| has_password(url)) {
                demand_private(&arguments.dir.join("obnova-server.toml"))?;
            }
            if arguments.demo_days_back > 0 && !config.demonstration {
                return Err(ServeError::new(
                    "--demo-days-back",
                    "only where the configuration says demonstration = true",
                ));
            }
            let clock = ServerClock { behind: Duration::from_secs(arguments.demo_days_back * 86_400) };
            let context = Context {
                config,
                passphrase: passphrase(arguments.passphrase_file.as_deref())?,
                clock,
                json: arguments.json,
                texts,
            };
            perform(&context, arguments.command).await
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn key_kind(text: &str) -> Result<KeyKind, ServeError> {
    Ok(match text {
        "p256" => KeyKind::P256,
        "p384" => KeyKind::P384,
        "rsa3072" => KeyKind::Rsa(3072),
        "rsa4096" => KeyKind::Rsa(4096),
        other => {
            return Err(ServeError::new("--issuer-key", format!("{other}: choose p256, p384, rsa3072 or rsa4096")));
        }
    })
}

async fn authority(context: &Context) -> Result<Authority, ServeError> {
    let identity = &context.config.identity;
    let address =
        IdentityAddress { audience: identity.audience.clone(), login: format!("https://{}", identity.address) };
    Authority::open(
        &context.config.folder,
        context.config.authority.clone(),
        Some(address),
        &context.passphrase,
        Arc::new(context.clock),
    )
    .await
}

fn certificate(folder: &Path, name: &str) -> Result<Certificate, ServeError> {
    let path = folder.join("certificates").join(format!("{name}.crt"));
    let bytes = std::fs::read(&path).map_err(|error| ServeError::new(path.display(), error))?;
    Certificate::from_any_form(&bytes).map_err(|error| ServeError::new(path.display(), error))
}

async fn identity(context: &Context) -> Result<Identity, ServeError> {
    let folder = &context.config.folder;
    let issuers = ISSUERS
        .iter()
        .map(|id| {
            Ok(TrustedIssuer {
                certificate: certificate(folder, id)?,
                crl_address: format!("https://{}/crl/{id}.crl", context.config.authority.address),
            })
        })
        .collect::<Result<Vec<_>, ServeError>>()?;
    let tls_roots = vec![certificate(folder, "service")?.der().to_vec()];
    let roots = vec![certificate(folder, "root")?];
    Identity::open(&context.config.identity, roots, issuers, tls_roots, Arc::new(context.clock)).await
}

fn hosts(address: &str) -> Vec<String> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let mut hosts = vec![host.trim_matches(['[', ']']).to_owned()];
    if host == "127.0.0.1" {
        hosts.push("localhost".to_owned());
    }
    hosts
}

async fn serve(context: &Context) -> Result<(), ServeError> {
    let config = &context.config;
    // Who cannot listen changes nothing: another server may be running here.
    let authority_listener = listener::bind(config.authority.listen).await?;
    let identity_listener = listener::bind(config.identity.listen).await?;
    let authority = Arc::new(authority(context).await?);
    authority.database().claim().await?;
    let abandoned = authority.recover().await?;
    if abandoned > 0 {
        tracing::warn!(abandoned, "serial numbers that a crash left unsigned were closed");
    }
    for issuer in ISSUERS {
        authority.publish_crl(issuer).await?;
    }
    for end in ending(context)? {
        tracing::warn!("{}", ending_words(context, &end));
    }
    let identity = Arc::new(identity(context).await?);
    if let Some(mail) = &config.mail {
        tokio::spawn(Sender::new(authority.database().clone(), mail)?.run());
        tokio::spawn(Sender::new(identity.database().clone(), mail)?.run());
    } else {
        tracing::warn!("no mail server is configured: letters wait in the outbox");
    }
    let keeper = Arc::clone(&authority);
    tokio::spawn(async move { keeper.keep_house().await });

    let shown = |address: &str, clients| {
        let (folder, passphrase) = (config.folder.clone(), context.passphrase.clone());
        Shown { folder, hosts: hosts(address), passphrase, clients }.kept()
    };
    let tls = shown(&config.authority.address, ClientCertificates::Ignored)?;
    let proxies = config.authority.proxies.clone();
    tokio::spawn(listener::serve(authority_listener, tls, obnova_ca::router(authority), proxies));

    let tls = shown(&config.identity.address, ClientCertificates::Asked)?;
    let proxies = config.identity.proxies.clone();
    tokio::spawn(listener::serve(identity_listener, tls, obnova_idp::router(identity), proxies));

    say(
        context.json,
        &context.texts.get(
            "server-ready",
            &[
                ("authority", &format!("https://{}", config.authority.address)),
                ("identity", &format!("https://{}", config.identity.address)),
            ],
        ),
        &json!({ "ready": true, "authority": config.authority.address, "identity": config.identity.address }),
    );
    stopped().await;
    Ok(())
}

async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

async fn perform(context: &Context, command: Command) -> Result<(), ServeError> {
    let failed = |error: &dyn std::fmt::Display| ServeError::new("refused", error);
    match command {
        Command::Init { organisation, prefix, issuer_key } => {
            let options = CeremonyOptions {
                organisation,
                prefix,
                issuer_key: key_kind(&issuer_key)?,
                published_at: context.config.authority.published_at.clone(),
                now: SystemTime::now() - context.clock.behind,
            };
            obnova_ca::initialise(&context.config.folder, &options, &context.passphrase)?;
            let root = certificate(&context.config.folder, "root")?;
            let sha256 = obnova_crypto::Primitives.fingerprint(root.der());
            say(
                context.json,
                &context.texts.get("server-made", &[("sha256", &sha256)]),
                &json!({ "root_sha256": sha256 }),
            );
        }
        Command::Ceremony { root_key, all } => {
            let config = &context.config;
            let now = SystemTime::now() - context.clock.behind;
            let (key, published_at) = (root_key.as_deref(), &config.authority.published_at);
            let renewed = obnova_ca::renew(&config.folder, key, all, published_at, now, &context.passphrase)?;
            let mut lines: Vec<String> = renewed
                .iter()
                .map(|end| context.texts.get("server-signed-anew", &[("file", &end.file), ("day", &end.day())]))
                .collect();
            lines.push(
                context.texts.get(if renewed.is_empty() { "server-nothing-ends" } else { "server-restart" }, &[]),
            );
            let data: Vec<_> = renewed.iter().map(|end| json!({ "file": end.file, "until": end.day() })).collect();
            say(context.json, &lines.join("\n"), &json!({ "renewed": data }));
        }
        Command::Run => serve(context).await?,
        Command::Invite { applicant, profile } => {
            let invitation = authority(context).await?.invite(&applicant, &profile).await.map_err(|e| failed(&e))?;
            let service = certificate(&context.config.folder, "service")?;
            let tls = obnova_crypto::Primitives.fingerprint(service.der());
            let mut data = serde_json::to_value(&invitation).unwrap_or_default();
            data["tls_sha256"] = json!(tls);
            let title = [("name", invitation.name.as_str()), ("profile", &invitation.profile)];
            let mut text = context.texts.get("server-invitation", &title);
            for (what, value) in [
                ("authority", &invitation.authority),
                ("reference", &invitation.reference),
                ("code", &invitation.code),
                ("root", &invitation.root_sha256),
                ("tls", &tls),
            ] {
                text.push_str(&format!(
                    "\n  {}: {value}",
                    context.texts.get(&format!("server-invitation-{what}"), &[])
                ));
            }
            say(context.json, &text, &data);
        }
        Command::Office { command: Office::Import { file } } => {
            let text = std::fs::read_to_string(&file).map_err(|error| ServeError::new(file.display(), error))?;
            let is_toml = file.extension().is_some_and(|ending| ending == "toml");
            let report = authority(context).await?.import(&text, is_toml).await.map_err(|e| failed(&e))?;
            let count = report.applicants.to_string();
            let mut text = context.texts.get("server-imported", &[("count", &count)]);
            for open in &report.open {
                let words = [("id", open.id.as_str()), ("applicant", &open.applicant), ("name", &open.name)];
                text.push_str(&format!("\n{}", context.texts.get(&format!("server-open-{}", open.what), &words)));
            }
            say(context.json, &text, &report);
        }
        Command::Request { command } => requests(context, command).await?,
        Command::Account { command } => accounts(context, command).await?,
        Command::Revoke { issuer, serial, reason } => {
            use obnova_pki::crl::Reason;
            let reason = match reason.as_str() {
                "superseded" => Reason::Superseded,
                "key-compromise" => Reason::KeyCompromise,
                "affiliation-changed" => Reason::AffiliationChanged,
                "cessation" => Reason::CessationOfOperation,
                other => return Err(ServeError::new("--reason", format!("{other} is not known"))),
            };
            let authority = authority(context).await?;
            let candidates = Serial::candidates(&serial).map_err(|e| failed(&e))?;
            let mut last = None;
            for candidate in candidates {
                match authority.revoke(&issuer, &candidate, reason).await {
                    Ok(()) => {
                        say(
                            context.json,
                            &context
                                .texts
                                .get("server-revoked", &[("issuer", &issuer), ("serial", &candidate.to_string())]),
                            &json!({ "revoked": candidate.hexadecimal() }),
                        );
                        return Ok(());
                    }
                    Err(error) => last = Some(error),
                }
            }
            return Err(last.map_or_else(|| ServeError::new("serial", "no reading"), |error| failed(&error)));
        }
        Command::Health => {
            let (authority, identity) = (authority(context).await?, identity(context).await?);
            let entries = audit::check(authority.database().pool()).await?;
            let identity_entries = audit::check(identity.database().pool()).await?;
            let mut letters = mail::given_up(authority.database()).await?;
            letters.extend(mail::given_up(identity.database()).await?);
            let mut text = context.texts.get(
                "server-health",
                &[("authority", &entries.to_string()), ("identity", &identity_entries.to_string())],
            );
            if !letters.is_empty() {
                let words = [("count", letters.len().to_string()), ("letters", letters.join(", "))];
                let words = words.each_ref().map(|(name, value)| (*name, value.as_str()));
                text.push_str(&format!("\n{}", context.texts.get("server-letters-given-up", &words)));
            }
            let ending = ending(context)?;
            for end in &ending {
                text.push_str(&format!("\n{}", ending_words(context, end)));
            }
            let ends: Vec<_> = ending.iter().map(|end| json!({ "file": end.file, "until": end.day() })).collect();
            let data = json!({
                "ends": ends,
                "authority_audit": entries,
                "identity_audit": identity_entries,
                "letters_given_up": letters,
            });
            say(context.json, &text, &data);
        }
    }
    Ok(())
}

/// What of the house ends soon.
fn ending(context: &Context) -> Result<Vec<obnova_ca::End>, ServeError> {
    let soon = SystemTime::now() - context.clock.behind + obnova_ca::ANNOUNCED;
    Ok(obnova_ca::ends(&context.config.folder)?.into_iter().filter(|end| end.at <= soon).collect())
}

fn ending_words(context: &Context, end: &obnova_ca::End) -> String {
    let key = if end.is_renewed { "server-ends" } else { "server-root-ends" };
    context.texts.get(key, &[("file", &end.file), ("day", &end.day())])
}

async fn requests(context: &Context, command: Request) -> Result<(), ServeError> {
    let failed = |error: obnova_ca::OfficeError| ServeError::new("refused", error);
    let authority = authority(context).await?;
    match command {
        Request::List => {
            let lines = authority.requests().await.map_err(failed)?;
            let mut text = String::new();
            for line in &lines {
                text.push_str(&format!(
                    "{}  {:<9} {:<16} {:<10} {}  {}\n",
                    line.id,
                    line.state,
                    line.profile,
                    line.applicant,
                    obnova_texts::clean(line.name.as_deref().unwrap_or("")),
                    line.reason.as_deref().or(line.certificate.as_deref()).unwrap_or("")
                ));
            }
            say(context.json, text.trim_end(), &lines);
        }
        Request::Approve { id } => {
            authority.decide(&id, true, None).await.map_err(failed)?;
            say(context.json, &context.texts.get("server-approved", &[("id", &id)]), &json!({ "approved": id }));
        }
        Request::Refuse { id, why } => {
            authority.decide(&id, false, Some(&why)).await.map_err(failed)?;
            say(context.json, &context.texts.get("server-refused", &[("id", &id)]), &json!({ "refused": id }));
        }
    }
    Ok(())
}

async fn accounts(context: &Context, command: Account) -> Result<(), ServeError> {
    let failed = |error: obnova_idp::IdentityError| ServeError::new("refused", error);
    let identity = identity(context).await?;
    match command {
        Account::Add { login, name, email, organisation, administrator } => {
            identity.add_account(&login, &name, &email, &organisation, administrator).await.map_err(failed)?;
            say(
                context.json,
                &context.texts.get("server-account-made", &[("login", &login)]),
                &json!({ "account": login }),
            );
        }
        Account::Bind { login, issuer, serial } => {
            identity.bind_typed(&login, &issuer, &serial, "administrator").await.map_err(failed)?;
            say(
                context.json,
                &context.texts.get("server-bound", &[("serial", &serial), ("login", &login)]),
                &json!({ "account": login, "serial": serial }),
            );
        }
        Account::Show { login } => match identity.account(&login).await.map_err(failed)? {
            None => {
                return Err(ServeError::new("refused", context.texts.get("server-no-account", &[("login", &login)])));
            }
            Some(account) => {
                let mut text =
                    format!("{} – {}, {} ({})\n", account.login, account.name, account.organisation, account.role);
                for binding in &account.bindings {
                    text.push_str(&format!(
                        "  {}  {} (0x{})  {}\n",
                        binding.issuer, binding.decimal, binding.hexadecimal, binding.added_how
                    ));
                }
                say(context.json, text.trim_end(), &account);
            }
        },
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_flag_has_words() {
        for language in [Language::Czech, Language::English] {
            let missing = obnova_texts::wordless(&Arguments::command(), Texts::new(language), "server");
            assert!(missing.is_empty(), "{language:?}: {missing:?}");
        }
        obnova_texts::speaking(Arguments::command(), Texts::new(Language::Czech), "server").debug_assert();
    }
}
