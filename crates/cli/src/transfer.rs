//! `obnova import`, `bring`, `export`, `backup`: keys and certificates between stores.

use std::path::Path;
use std::process::ExitCode;

use obnova_client::{ClientError, Imported, Inventory, LeftOut, PfxMac};
use serde_json::json;

use crate::commands::{Context, find, unlocked};

/// Brings a PKCS#12 file into a store.
pub(crate) fn import(context: &Context, file: &Path, store: Option<&str>) -> Result<ExitCode, ClientError> {
    let inventory = Inventory::open(&context.home, &context.extra)?;
    let done = inventory.import_file(&context.home, file, store, &context.prompt, &context.clock)?;
    tell(context, &done.imported, &done.left_out);
    Ok(ExitCode::SUCCESS)
}

/// Brings a pair from a browser or a file to another store.
pub(crate) fn bring(context: &Context, certificate: &str, store: Option<&str>) -> Result<ExitCode, ClientError> {
    let inventory = unlocked(context)?;
    let (source, found) = find(context, &inventory, certificate)?;
    let imported = inventory.bring_from(&context.home, (&source, &found), store, &context.prompt, &context.clock)?;
    tell(context, &imported, &[]);
    Ok(ExitCode::SUCCESS)
}

/// Puts certificates of authorities where browsers look for them.
pub(crate) fn chain(context: &Context, store: Option<&str>) -> Result<ExitCode, ClientError> {
    let inventory = Inventory::open(&context.home, &context.extra)?;
    let placed = inventory.place_chain(&context.home, store, &context.prompt)?;
    for one in &placed {
        let words = [("store", one.name.as_str()), ("names", &one.authorities.join(", "))];
        context.output.line(&context.output.texts.get("chain-placed", &words));
    }
    context.output.data("", &placed);
    Ok(ExitCode::SUCCESS)
}

fn tell(context: &Context, imported: &[Imported], left_out: &[LeftOut]) {
    let texts = context.output.texts;
    for pair in imported {
        let view = &pair.certificate;
        let key = if pair.was_there { "import-was-there" } else { "import-done" };
        let words = [("serial", view.hexadecimal.as_str()), ("store", &view.store)];
        context.output.line(&texts.get(key, &words));
        if pair.on_device {
            context.output.line(&texts.get("import-not-made-there", &[]));
        }
    }
    for left in left_out {
        context.output.line(&texts.get(&format!("left-{}", left.why), &[("number", &left.number)]));
    }
    context.output.data("", &json!({ "imported": imported, "left_out": left_out }));
}

/// Writes a certificate into a file; with its key where `with_key` is given, whose value chooses PBMAC1.
pub(crate) fn export(
    context: &Context,
    certificate: &str,
    to: &Path,
    with_key: Option<bool>,
    der: bool,
) -> Result<ExitCode, ClientError> {
    let inventory = unlocked(context)?;
    let (store, found) = find(context, &inventory, certificate)?;
    if let Some(pbmac1) = with_key {
        let mac = if pbmac1 { PfxMac::Pbmac1 } else { PfxMac::Hmac };
        inventory.export_pair((&store, &found), to, mac, &context.prompt)?;
    } else {
        if to.exists() {
            return Err(ClientError::new("file-exists", to.display()));
        }
        let bytes = match der {
            true => found.der().to_vec(),
            false => obnova_pki::pem::block("CERTIFICATE", found.der())
                .map_err(|error| ClientError::new("file-error", error))?
                .into_bytes(),
        };
        std::fs::write(to, bytes).map_err(|error| ClientError::new("file-error", error))?;
    }
    let place = to.display().to_string();
    context.output.line(&context.output.texts.get("exported", &[("file", &place)]));
    context.output.data("", &json!({ "exported": found.serial().hexadecimal(), "file": place }));
    Ok(ExitCode::SUCCESS)
}

/// Copies the file of a store to a second place, compared and tried.
pub(crate) fn backup(context: &Context, store: Option<&str>, to: &Path) -> Result<ExitCode, ClientError> {
    let inventory = Inventory::open(&context.home, &context.extra)?;
    let copies = inventory.back_up(&context.home, store, to, &context.prompt)?;
    for copy in &copies {
        let words = [("file", copy.copy.display().to_string()), ("sha256", copy.sha256.clone())];
        let tested = copy.tested.to_string();
        let words = [("file", words[0].1.as_str()), ("sha256", words[1].1.as_str()), ("tested", tested.as_str())];
        context.output.line(&context.output.texts.get("backup-done", &words));
    }
    context.output.data("", &copies);
    Ok(ExitCode::SUCCESS)
}
