//! `obnova remind`: what ends soon, told here, on the desktop, or in a calendar.

use std::path::Path;
use std::process::ExitCode;

use obnova_client::{
    CertificateView, ClientError, Clock, Inventory, JourneyView, calendar, install_schedule, note_told, notify,
    reminders, remove_schedule,
};
use obnova_texts::Texts;
use serde_json::json;

use obnova_client::words::{self, days};

use crate::commands::Context;

fn sentence(texts: Texts, view: &CertificateView) -> String {
    let kind = texts.get(&format!("kind-{}", view.kind), &[]);
    let day = view.not_after.get(..10).unwrap_or_default();
    texts.get("remind-ends", &[("kind", &kind), ("name", &view.name), ("day", day)])
}

/// Installs or removes the daily schedule.
pub(crate) fn schedule(context: &Context, install: bool) -> Result<ExitCode, ClientError> {
    let texts = context.output.texts;
    if !install {
        remove_schedule(&context.home)?;
        context.output.line(&texts.get("schedule-removed", &[]));
        context.output.data("", &json!({ "schedule": null }));
        return Ok(ExitCode::SUCCESS);
    }
    let program = std::env::current_exe().map_err(|error| ClientError::new("file-error", error))?;
    let schedule = install_schedule(&program, &context.home)?;
    context.output.line(&texts.get(if schedule.active { "schedule-active" } else { "schedule-written" }, &[]));
    context.output.data(&schedule.files.join("\n"), &json!({ "schedule": schedule }));
    Ok(ExitCode::SUCCESS)
}

/// Tells what ends soon. On the desktop each step is told once.
pub(crate) fn remind(context: &Context, on_desktop: bool, ics: Option<&Path>) -> Result<ExitCode, ClientError> {
    let texts = context.output.texts;
    let now = context.clock.now();
    let inventory = match Inventory::open(&context.home, &context.extra) {
        // A computer without a device today is no error once a day.
        Err(error) if error.code == "no-store" && on_desktop => return Ok(ExitCode::SUCCESS),
        other => other?,
    };
    let found = reminders(&context.home, &inventory, now)?;
    let mut lines = Vec::new();
    for reminder in &found {
        let view = &reminder.certificate;
        lines.push(format!("{}  {}", sentence(texts, view), days(texts, view.days_left)));
    }
    // What cannot be read ends all the same, as far as its end can be told.
    let unread = inventory.unread(now);
    for view in
        unread.iter().filter(|view| view.days_left.is_some_and(|left| (0..=obnova_client::REMINDED[0]).contains(&left)))
    {
        lines.push(words::unread(texts, view).join("  "));
    }
    if let Some(file) = ics {
        let views = inventory.views(now);
        let own: Vec<CertificateView> =
            views.into_iter().filter(|view| view.unfit.is_none() && view.days_left >= 0).collect();
        let text = calendar(&own, now, &|view| sentence(texts, view));
        std::fs::write(file, text)
            .map_err(|error| ClientError::new("file-error", format!("{}: {error}", file.display())))?;
        context.output.line(&texts.get("exported", &[("file", &file.display().to_string())]));
    }
    if on_desktop {
        // A renewal that waited for its authority, and can go on.
        let decided = JourneyView::decided(&context.home, &context.clock, &[])?;
        if !decided.is_empty() && !notify(&texts.get("remind-title", &[]), &texts.get("remind-decided", &[])) {
            return Err(ClientError::new("no-desktop", texts.get("remind-decided", &[])));
        }
        let fresh: Vec<_> = found.iter().filter(|reminder| !reminder.told).cloned().collect();
        if !fresh.is_empty() {
            let words: Vec<String> = fresh.iter().map(|reminder| sentence(texts, &reminder.certificate)).collect();
            // What could not be shown is told again tomorrow.
            if notify(&texts.get("remind-title", &[]), &words.join("\n")) {
                note_told(&context.home, &fresh)?;
            } else {
                return Err(ClientError::new("no-desktop", words.join("; ")));
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        context.output.line(&texts.get("remind-nothing", &[]));
    }
    context.output.data(&lines.join("\n"), &json!({ "reminders": found }));
    Ok(ExitCode::SUCCESS)
}
