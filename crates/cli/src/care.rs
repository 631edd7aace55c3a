//! `obnova pin`: what the device says of its PIN, and the care of it.

use std::process::ExitCode;

use obnova_client::{ClientError, Inventory, TriesView};
use obnova_texts::Texts;

use crate::arguments::PinCommand;
use crate::commands::Context;

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
        PinCommand::Unblock { store, puk_file, new_pin_file } => {
            let prompt = context.prompt.clone().with(new_pin_file, puk_file);
            (Some("pin-unblocked"), inventory.unblock_pin(home, store.as_deref(), &prompt)?)
        }
    };
    let mut lines = vec![format!("{}  {}", view.name, view.store)];
    lines.push(format!("  PIN: {}", described(texts, &view.pin)));
    if let Some(puk) = &view.puk {
        lines.push(format!("  PUK: {}", described(texts, puk)));
    }
    if let Some(done) = done {
        context.output.line(&texts.get(done, &[]));
    }
    context.output.data(&lines.join("\n"), &view);
    Ok(ExitCode::SUCCESS)
}

fn described(texts: Texts, tries: &TriesView) -> String {
    let state = match (tries.locked, tries.final_try, tries.count_low) {
        (true, _, _) => "tries-locked",
        (_, true, _) => "tries-last",
        (_, _, true) => "tries-low",
        _ => "tries-good",
    };
    let mut words = vec![texts.get(state, &[])];
    if tries.pad {
        words.push(texts.get("tries-pad", &[]));
    }
    if let Some((least, most)) = tries.length {
        words.push(texts.get("tries-length", &[("least", &least.to_string()), ("most", &most.to_string())]));
    }
    words.join(", ")
}
