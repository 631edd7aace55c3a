//! `obnova pin`, `token`, `clean`, `restore`: care of a device, its PINs, and what lies on it.

use std::process::ExitCode;

use obnova_client::{Cleanup, CleanupOptions, ClientError, Clock, DeviceView, Inventory, may_go, restore, words};
use obnova_texts::Texts;
use serde_json::json;

use crate::arguments::{PinCommand, TokenCommand};
use obnova_client::words::days;

use crate::commands::Context;
use crate::prompt::{agreed, typed};

/// Looks at, tries, changes or unblocks a PIN.
pub(crate) fn pin(context: &Context, command: PinCommand) -> Result<ExitCode, ClientError> {
    let inventory = Inventory::open(&context.home, &context.extra)?;
    let (home, texts) = (&context.home, context.output.texts);
    let (done, view) = match command {
        PinCommand::Status { store } => (None, inventory.pin_state(store.as_deref())?),
        PinCommand::Verify { store } => (Some("pin-right"), inventory.verify_pin(store.as_deref(), &context.prompt)?),
        PinCommand::Change { store, new_pin_file } => {
            let prompt = context.prompt.clone().with(new_pin_file, None);
            (Some("pin-changed"), inventory.change_pin(home, store.as_deref(), &prompt)?)
        }
        PinCommand::ChangePuk { store, puk_file, new_puk_file } => {
            let prompt = context.prompt.clone().with(new_puk_file, puk_file);
            (Some("puk-changed"), inventory.change_puk(home, store.as_deref(), &prompt)?)
        }
        PinCommand::Unblock { store, puk_file, new_pin_file } => {
            let prompt = context.prompt.clone().with(new_pin_file, puk_file);
            (Some("pin-unblocked"), inventory.unblock_pin(home, store.as_deref(), &prompt)?)
        }
    };
    let mut lines = vec![format!("{}  {}", view.name, view.store)];
    lines.push(format!("  PIN: {}", words::tries(texts, &view.pin)));
    if let Some(puk) = &view.puk {
        lines.push(format!("  PUK: {}", words::tries(texts, puk)));
    }
    if let Some(done) = done {
        context.output.line(&texts.get(done, &[]));
    }
    context.output.data(&lines.join("\n"), &view);
    Ok(ExitCode::SUCCESS)
}

/// Shows devices, names one, or empties one.
pub(crate) fn token(context: &Context, command: TokenCommand) -> Result<ExitCode, ClientError> {
    let inventory = Inventory::open(&context.home, &context.extra)?;
    let texts = context.output.texts;
    match command {
        TokenCommand::Info => {
            let devices = inventory.devices(context.clock.now());
            let text: Vec<String> = devices.iter().map(|device| device_card(texts, device)).collect();
            if devices.is_empty() {
                context.output.line(&texts.get("no-device", &[]));
            }
            context.output.data(&text.join("\n\n"), &devices);
        }
        TokenCommand::Name { name, store } => {
            let device = inventory.rename(&context.home, store.as_deref(), &name)?;
            context.output.line(&texts.get("token-named", &[("name", &name)]));
            context.output.data("", &json!({ "device": device, "name": name }));
        }
        TokenCommand::Initialise { store, name, typed: given, puk_file, new_pin_file } => {
            let lost = inventory.what_is_lost(store.as_deref(), context.clock.now())?;
            let current = inventory.pin_state(store.as_deref())?.name;
            context.output.line(&texts.get("initialise-loses", &[("store", &current)]));
            for view in &lost {
                let kind = texts.get(&format!("kind-{}", view.kind), &[]);
                let left = days(texts, view.days_left);
                context.output.line(&format!("  {kind}  {}  0x{}  {left}", view.name, view.hexadecimal));
            }
            let question = texts.get("ask-type-name", &[("store", &current)]);
            let answer = typed(&question, given.as_deref());
            let prompt = context.prompt.clone().with(new_pin_file, puk_file);
            let name = name.unwrap_or_else(|| current.clone());
            inventory.initialise(&context.home, store.as_deref(), (&answer, &name), &prompt)?;
            context.output.line(&texts.get("initialised", &[("name", &name)]));
            context.output.data("", &json!({ "initialised": name, "lost": lost }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn device_card(texts: Texts, device: &DeviceView) -> String {
    let mut lines = vec![format!("{}  {}", device.name, device.device)];
    lines.extend(words::device(texts, device).into_iter().map(|line| format!("  {line}")));
    lines.push(format!("  {}", words::room(texts, &device.room, true)));
    for login in &device.logins {
        let name = if device.logins.len() > 1 { format!(" ({})", login.name) } else { String::new() };
        lines.push(format!("  PIN{name}: {}", words::tries(texts, &login.pin)));
        if let Some(puk) = &login.puk {
            lines.push(format!("  PUK{name}: {}", words::tries(texts, puk)));
        }
    }
    lines.join("\n")
}

/// Shows what may go and what stays, and removes it when the person agrees.
pub(crate) fn clean(context: &Context, options: &CleanupOptions, dry_run: bool) -> Result<ExitCode, ClientError> {
    let inventory = Inventory::open(&context.home, &context.extra)?;
    let texts = context.output.texts;
    let survey = Cleanup::survey(&context.home, &inventory, options, &context.prompt, &context.clock)?;
    let items = survey.items();
    let mut stores: Vec<&str> = items.iter().map(|item| item.store.as_str()).collect();
    stores.sort_unstable();
    stores.dedup();
    for store in stores {
        context.output.line(&texts.get("clean-title", &[("name", store)]));
        for item in items.iter().filter(|item| item.store == store) {
            let mark = if item.may_go { "-" } else { " " };
            let what = match &item.certificate {
                Some(view) => format!(
                    "{} {} 0x{}, {}",
                    texts.get(&format!("kind-{}", view.kind), &[]),
                    view.name,
                    view.hexadecimal,
                    days(texts, view.days_left)
                ),
                None => match &item.unread {
                    Some(view) => words::unread(texts, view).join(" "),
                    None => format!("{} {} {}", texts.get("clean-key", &[]), item.key, &item.key_sha256[..16]),
                },
            };
            let journey = item.journey.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
            context.output.line(&format!(" {mark} {what}\n     {}{journey}", texts.get(item.why, &[])));
            if item.copies > 1 {
                let copies = texts.get("clean-copies", &[("count", &item.copies.to_string())]);
                context.output.line(&format!("     {copies}"));
            }
            for identity in &item.claimed_by {
                let words = [("identity", identity.get(..16).unwrap_or(identity))];
                context.output.line(&format!("     {}", texts.get("clean-claimed-by", &words)));
            }
        }
    }
    if !items.iter().any(|item| item.may_go) {
        context.output.line(&texts.get("clean-nothing", &[]));
        context.output.data("", &json!({ "items": items, "removed": [] }));
        return Ok(ExitCode::SUCCESS);
    }
    if dry_run {
        context.output.data("", &json!({ "items": items, "removed": [] }));
        return Ok(ExitCode::SUCCESS);
    }
    if !agreed(texts, &texts.get("ask-clean", &[]), context.yes) {
        return Err(ClientError::new("not-agreed", "clean"));
    }
    let (removed, measured) = survey.carry_out(&context.home, &context.clock)?;
    for store in &measured {
        let counts = |census: &obnova_lifecycle::port::Census| {
            texts.get(
                "clean-counts",
                &[("certificates", &census.certificates.to_string()), ("keys", &census.private_keys.to_string())],
            )
        };
        let count = removed.iter().filter(|cleaned| cleaned.store == store.store).count().to_string();
        let (before, after) = (counts(&store.before), counts(&store.after));
        let words = [("count", count.as_str()), ("before", &before), ("after", &after)];
        context.output.line(&texts.get("clean-done", &words));
    }
    context.output.data("", &json!({ "items": items, "removed": removed, "measured": measured }));
    Ok(ExitCode::SUCCESS)
}

/// After an error near a write: the devices are counted again, and what may safely go is named.
pub(crate) fn after_a_full_device(context: &Context) {
    let texts = context.output.texts;
    let Ok(inventory) = Inventory::open(&context.home, &context.extra) else { return };
    for (name, census, items) in may_go(&context.home, &inventory, &context.clock).unwrap_or_default() {
        let (count, octets) = (census.certificates.to_string(), census.certificate_octets.to_string());
        let counted = texts.get("room-counted", &[("certificates", &count), ("octets", &octets)]);
        context.output.line(&format!("  {name}: {counted}"));
        for item in items {
            if let Some(view) = &item.certificate {
                let kind = texts.get(&format!("kind-{}", view.kind), &[]);
                context.output.line(&format!("    {kind} 0x{}: {}", view.hexadecimal, texts.get(item.why, &[])));
            }
        }
    }
}

/// Puts the public part of a removed certificate back.
pub(crate) fn undo(context: &Context, serial: &str) -> Result<ExitCode, ClientError> {
    let inventory = Inventory::open(&context.home, &context.extra)?;
    let (certificate, store) = restore(&context.home, &inventory, serial, &context.prompt)?;
    let serial = certificate.serial().hexadecimal();
    context.output.line(&context.output.texts.get("restored", &[("serial", &serial), ("store", &store)]));
    context.output.data("", &json!({ "restored": serial, "store": store }));
    Ok(ExitCode::SUCCESS)
}
