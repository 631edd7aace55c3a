//! `obnova doctor`: what a help desk would ask for, on the screen, in a bundle, or in a message.

use std::path::Path;
use std::process::ExitCode;

use obnova_client::{
    ClientError, Health, HelpQuestion, Inventory, examine, help_bundle, help_desk, help_message, mend, words,
};

use crate::commands::Context;

fn write(file: &Path, text: &str) -> Result<(), ClientError> {
    std::fs::write(file, text).map_err(|error| ClientError::new("file-error", format!("{}: {error}", file.display())))
}

/// Looks at everything that a help desk would ask for; repairs what is safe; writes a bundle and a message for help.
pub(crate) fn doctor(
    context: &Context,
    repair: bool,
    bundle: Option<&Path>,
    message: Option<&Path>,
    administrator: Option<&Path>,
) -> Result<ExitCode, ClientError> {
    let texts = context.output.texts;
    if repair {
        for repaired in mend(&context.home)? {
            context.output.line(&texts.get("doctor-repaired", &[("what", &repaired)]));
        }
    }
    let findings = examine(&context.home, &context.extra, &context.clock);
    let mut lines = Vec::new();
    for finding in &findings {
        let state = match finding.health {
            Health::Good => "doctor-good",
            Health::Notice => "doctor-notice",
            Health::Bad => "doctor-bad",
        };
        let what = texts.get(&format!("doctor-{}", finding.check), &[]);
        lines.push(format!("{:<9} {what}: {}", texts.get(state, &[]), words::finding(texts, finding)));
        if let Some(advice) = &finding.advice {
            lines.push(format!("          [{advice}] {}", texts.get(&format!("error-{advice}"), &[])));
        }
    }
    let report = help_bundle(&context.home, &context.extra, &findings, &context.clock)?;
    if let Some(file) = bundle {
        write(file, &report)?;
        context.output.line(&texts.get("bundle-written", &[("file", &file.display().to_string())]));
    }
    if let Some(file) = message {
        let question = HelpQuestion {
            subject: texts.get("help-subject", &[]),
            greeting: texts.get("help-greeting", &[]),
            trouble: lines.iter().filter(|line| line.contains('[')).map(|line| line.trim().to_owned()).collect(),
            is_technical: true,
            ..HelpQuestion::default()
        };
        write(file, &help_message(&help_desk(&context.home)?, &question, &report, &context.clock)?)?;
        context.output.line(&texts.get("message-written", &[("file", &file.display().to_string())]));
    }
    if let Some(file) = administrator {
        let inventory = Inventory::open(&context.home, &context.extra)?;
        if inventory.cards().is_empty() {
            context.output.line(&texts.get("administrator-not-needed", &[]));
        } else {
            write(file, &words::for_administrator(texts, inventory.cards()))?;
            context.output.line(&texts.get("administrator-written", &[("file", &file.display().to_string())]));
        }
    }
    context.output.data(&lines.join("\n"), &findings);
    let is_bad = findings.iter().any(|finding| finding.health == Health::Bad);
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
