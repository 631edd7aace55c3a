//! `obnova request`, `adopt`, `pickup`, `account`: what is useful with an authority, or an account, that is not ours.

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use obnova_client::{ClientError, GivenFields, Inventory, JourneyView, Mailed, RenewOptions, anchor_file};
use serde_json::json;

use crate::commands::{Context, card, find, renew_in, resume, unlocked};

/// Makes the successor's key, the request and the signed message for an authority that is asked by mail.
pub(crate) fn request(
    context: &Context,
    authority: Option<&str>,
    anchor: Option<&Path>,
    fields: GivenFields,
    options: &RenewOptions,
) -> Result<ExitCode, ClientError> {
    let texts = context.output.texts;
    let inventory = unlocked(context)?;
    let wanted = options.only.clone().unwrap_or_default();
    let (_, old) = find(context, &inventory, &wanted)?;
    let prompt = context.prompt.clone().with_fields(fields);
    let anchor = anchor.map(anchor_file).transpose()?;
    // Every field is known before a key is made.
    let mailed = Mailed::prepare(&context.home, &inventory, &old, (authority, anchor.as_ref()), &prompt)?;
    let prompt = prompt.with_fields(mailed.answers());
    let Mailed { description, fields } = mailed;
    for field in &fields {
        let words = [("field", field.label.as_str()), ("value", &field.value), ("source", &field.source)];
        context.output.line(&format!("  {}", texts.get("request-field", &words)));
    }
    context.output.line(&texts.get("request-not-tried", &[("name", &description.name), ("read", &description.read)]));
    let code = renew_in(context, &inventory, &prompt, options, false)?;
    for journey in JourneyView::all(&context.home, &context.clock)?.iter().filter(|journey| !journey.finished) {
        for draft in journey.items.iter().filter_map(|item| item.draft.as_deref()) {
            context.output.line(&texts.get("request-draft", &[("file", draft), ("to", &description.mailbox)]));
        }
    }
    Ok(code)
}

/// Takes over renewals that were begun elsewhere, and does the rest of them.
pub(crate) fn adopt(context: &Context, anchor: Option<&Path>) -> Result<ExitCode, ClientError> {
    let texts = context.output.texts;
    let inventory = Inventory::open(&context.home, &context.extra)?;
    let anchor = anchor.map(anchor_file).transpose()?;
    let adopted = inventory.adopt(&context.home, anchor.as_ref(), &context.prompt, &context.clock)?;
    for one in &adopted {
        context.output.line(&texts.get(&format!("adopted-{}", one.state), &[("journey", &one.journey)]));
        context.output.line(&card(texts, &one.predecessor));
        if let Some(successor) = &one.successor {
            context.output.line(&card(texts, successor));
        }
    }
    resume(context, None, false)
}

/// Takes a certificate from a file, a mail or an address, and goes on with the journey that waits for it.
pub(crate) fn pick_up(context: &Context, source: &str) -> Result<ExitCode, ClientError> {
    let taken = Inventory::pick_up(&context.home, source, &context.clock)?;
    for view in &taken {
        context.output.line(&context.output.texts.get("picked-up", &[("serial", &view.hexadecimal)]));
    }
    resume(context, None, false)
}

/// Shows what a foreign account wants to know, and notes that it was told.
pub(crate) fn account(
    context: &Context,
    certificate: &str,
    told: &[String],
    copy: bool,
) -> Result<ExitCode, ClientError> {
    let texts = context.output.texts;
    let inventory = unlocked(context)?;
    let (_, found) = find(context, &inventory, certificate)?;
    for party in told {
        inventory.told(&context.home, &found, party)?;
    }
    let views = inventory.accounts(&context.home, &found)?;
    let mut lines = vec![found.serial().decimal(), format!("0x{}", found.serial().hexadecimal())];
    for view in &views {
        let state = texts.get(&format!("account-{}", view.state), &[]);
        lines.push(format!("{}  {}  {}: {state}", view.account.name, view.account.page, view.account.issuer));
    }
    if copy {
        let copied = to_clipboard(&found.serial().decimal());
        context.output.line(&texts.get(if copied { "copied" } else { "no-clipboard" }, &[]));
    }
    let data = json!({
        "decimal": found.serial().decimal(),
        "hexadecimal": found.serial().hexadecimal(),
        "issuer": found.issuer().common_name(),
        "accounts": views,
    });
    context.output.data(&lines.join("\n"), &data);
    Ok(ExitCode::SUCCESS)
}

/// Gives a text to the system's clipboard, by the program that the system has for it.
fn to_clipboard(text: &str) -> bool {
    let programs: [(&str, &[&str]); 5] = [
        ("wl-copy", &[]),
        ("xclip", &["-selection", "clipboard"]),
        ("xsel", &["--clipboard", "--input"]),
        ("pbcopy", &[]),
        ("clip.exe", &[]),
    ];
    programs.iter().any(|(program, arguments)| {
        let child = Command::new(program)
            .args(*arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = child else { return false };
        let written = child.stdin.take().is_some_and(|mut pipe| pipe.write_all(text.as_bytes()).is_ok());
        written && child.wait().is_ok_and(|status| status.success())
    })
}
