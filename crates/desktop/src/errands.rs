//! The worker's part in everything beside renewals: devices, clean-up, copies, accounts, help, settings.

use std::path::Path;

use obnova_client::{
    AccountView, AuthorityRecord, BackupSetting, Cleanup, CleanupOptions, ClientError, Clock, HelpQuestion, Inventory,
    JourneyView, LoginOutcome, PfxMac, add_shortcut, anchor_file, examine, has_schedule, has_shortcut, help_bundle,
    help_desk, help_message, help_text, install_schedule, remove_schedule, remove_shortcut, restore, words,
};
use obnova_texts::guide;

use crate::page::{Act, Care, Mark, Page, Place, Setting};
use crate::talk::Fields;
use crate::worker::{Surveyed, Worker};
use crate::{account, backup, cleanup, device, help, settings};

fn gone() -> ClientError {
    ClientError::new("no-store", "-")
}

fn write(path: &Path, text: &str) -> Result<(), ClientError> {
    std::fs::write(path, text).map_err(|error| ClientError::new("file-error", format!("{}: {error}", path.display())))
}

impl Worker {
    pub(crate) fn devices(&mut self) -> Result<Page, ClientError> {
        let (texts, now) = (self.texts(), self.clock.now());
        match self.look() {
            Ok(inventory) => {
                let own = inventory.views(now).into_iter().filter(|view| view.kind != "authority").collect::<Vec<_>>();
                Ok(device::page(texts, &inventory.devices(now), &inventory.stores(), &own))
            }
            Err(error) if error.code == "no-store" => Ok(device::page(texts, &[], &[], &[])),
            Err(error) => Err(error),
        }
    }

    /// Care of a device; `store` is a certificate where one is exported.
    pub(crate) fn care(&mut self, care: Care, store: &str, fields: &Fields) -> Result<Page, ClientError> {
        self.look()?;
        let texts = self.texts();
        let is_certificate = matches!(care, Care::AskExport | Care::Export);
        // What is meant is what was seen, and nothing that is only called like it.
        if !is_certificate && !self.stores()?.iter().any(|known| known.id == store) {
            return Err(ClientError::new("store-gone", store));
        }
        let name = self.name_of(store)?;
        let inventory = self.inventory.as_ref().ok_or_else(gone)?;
        let (home, wanted) = (&self.home, Some(store));
        let said = match care {
            Care::Verify => {
                inventory.verify_pin(wanted, &self.talk)?;
                "pin-right"
            }
            Care::ChangePin => {
                self.talk.replaces();
                inventory.change_pin(home, wanted, &self.talk)?;
                "pin-changed"
            }
            Care::Unblock => {
                inventory.unblock_pin(home, wanted, &self.talk)?;
                "pin-unblocked"
            }
            Care::ChangePuk => {
                inventory.change_puk(home, wanted, &self.talk)?;
                "puk-changed"
            }
            Care::AskName => return Ok(device::name(texts, store, &name)),
            Care::Name => {
                let new = fields.get("name").map_or("", |name| name.trim()).to_owned();
                inventory.rename(home, wanted, &new)?;
                self.inventory = None;
                let page = self.devices()?;
                return Ok(self.well(page, "token-named", &[("name", &new)]));
            }
            Care::AskImport => return Ok(device::import(texts, store, &name)),
            Care::Import => {
                let file = Self::path(fields, "file")?;
                let done = inventory.import_file(home, &file, wanted, &self.talk, &self.clock)?;
                let mut page = self.devices()?;
                for left in &done.left_out {
                    let words = texts.get(&format!("left-{}", left.why), &[("number", &left.number)]);
                    page.notice(Mark::Plain, words, "");
                }
                for pair in done.imported {
                    let key = if pair.was_there { "import-was-there" } else { "import-done" };
                    let words = [("serial", pair.certificate.decimal.as_str()), ("store", name.as_str())];
                    let faint = if pair.on_device { texts.get("import-not-made-there", &[]) } else { String::new() };
                    page.notice(Mark::Good, texts.get(key, &words), &faint);
                }
                return Ok(page);
            }
            Care::AskExport => {
                let (place, found) = inventory.certificate(store)?;
                let view = obnova_client::CertificateView::of(&found, &place, self.clock.now());
                let suggested = self.home.folder().join(format!("{}-{}.p12", view.kind, view.hexadecimal));
                return Ok(device::export(texts, &view, suggested.display().to_string()));
            }
            Care::Export => {
                let file = Self::path(fields, "file")?;
                let (place, found) = inventory.certificate(store)?;
                inventory.export_pair((&place, &found), &file, PfxMac::Hmac, &self.talk)?;
                let page = self.certificate(store, None)?;
                return Ok(self.well(page, "exported", &[("file", &file.display().to_string())]));
            }
            Care::AskErase => {
                let lost = inventory.what_is_lost(wanted, self.clock.now())?;
                return Ok(device::erase(texts, store, &name, &lost));
            }
            Care::Erase => {
                let typed = fields.get("typed").map_or("", |typed| typed.trim());
                inventory.initialise(home, wanted, (typed, &name), &self.talk)?;
                self.inventory = None;
                let page = self.devices()?;
                return Ok(self.well(page, "initialised", &[("name", &name)]));
            }
        };
        self.inventory = None;
        let page = self.devices()?;
        Ok(self.well(page, said, &[]))
    }

    /// Looks at what may go.
    pub(crate) fn survey(&mut self, options: CleanupOptions) -> Result<Page, ClientError> {
        self.surveyed = None;
        self.look()?;
        let inventory = self.inventory.as_ref().ok_or_else(gone)?;
        let survey = Cleanup::survey(&self.home, inventory, &options, &self.talk, &self.clock)?;
        let items = survey.items();
        let stores = inventory.stores();
        let page = cleanup::found(self.texts(), &items, options.lose_old_mail, &stores);
        self.surveyed = Some(Surveyed { options, survey, items });
        Ok(page)
    }

    /// A key is given up when the beginning of its fingerprint was typed.
    pub(crate) fn give_up_key(&mut self, fingerprint: &str, fields: &Fields) -> Result<Page, ClientError> {
        let Some(typed) = fields.get("given-up") else { return Ok(cleanup::give_up(self.texts(), fingerprint)) };
        if typed.trim().to_lowercase() != fingerprint.get(..8).unwrap_or_default() {
            let mut page = cleanup::give_up(self.texts(), fingerprint);
            page.notice(Mark::Bad, self.texts().get("window-not-typed", &[]), "");
            return Ok(page);
        }
        let mut options = self.surveyed.take().map(|surveyed| surveyed.options).unwrap_or_default();
        options.given_up.push(typed.trim().to_lowercase());
        self.survey(options)
    }

    /// Removes what may go.
    pub(crate) fn remove(&mut self) -> Result<Page, ClientError> {
        let surveyed = self.surveyed.take().ok_or_else(gone)?;
        let (cleaned, measured) = surveyed.survey.carry_out(&self.home, &self.clock)?;
        let (stores, waits) = (self.stores()?, !self.open_journeys()?.is_empty());
        Ok(cleanup::done(self.texts(), &cleaned, &measured, &stores, waits))
    }

    /// Writes the public part of a removed certificate back.
    pub(crate) fn restore(&mut self, sha256: &str) -> Result<Page, ClientError> {
        self.look()?;
        let inventory = self.inventory.as_ref().ok_or_else(gone)?;
        let (found, store) = restore(&self.home, inventory, sha256, &self.talk)?;
        let name = self.name_of(&store)?;
        let page = self.perform(&Act::Go(Place::Cleanup), &Fields::new())?.unwrap_or_default();
        Ok(self.well(page, "restored", &[("serial", &found.serial().decimal()), ("store", &name)]))
    }

    pub(crate) fn backup(&mut self, done: Option<&[obnova_client::Backup]>) -> Result<Page, ClientError> {
        let stores = self.stores()?;
        Ok(backup::page(self.texts(), &stores, self.home.backup()?.as_ref(), done))
    }

    /// Copies a file of keys and reads the copy back.
    pub(crate) fn back_up(&mut self, store: &str, fields: &Fields) -> Result<Page, ClientError> {
        let folder = Self::path(fields, "folder")?;
        self.look()?;
        let inventory = self.inventory.as_ref().ok_or_else(gone)?;
        let copies = inventory.back_up(&self.home, Some(store), &folder, &self.talk)?;
        self.home.set_backup(&BackupSetting::To(folder))?;
        self.backup(Some(&copies))
    }

    pub(crate) fn account(&mut self) -> Result<Page, ClientError> {
        let (home, clock) = (self.home.clone(), self.clock);
        let journeys = JourneyView::all(&home, &clock)?;
        let mut known = Vec::new();
        let texts = self.texts();
        let inventory = match self.look() {
            Ok(inventory) => inventory,
            Err(error) if error.code == "no-store" => return Ok(account::page(texts, &[])),
            Err(error) => return Err(error),
        };
        for obnova_client::Next { view, next } in inventory.nexts(&home, &clock)? {
            // A login is by a commercial certificate that still works; one whose successor took its place only rests.
            if view.kind != "commercial" || view.unfit.is_some() || next == "followed" {
                continue;
            }
            let (_, certificate) = inventory.certificate(&view.sha256)?;
            let accounts: Vec<AccountView> = inventory.accounts(&home, &certificate)?;
            let brought = journeys
                .iter()
                .flat_map(|journey| &journey.items)
                .find(|item| item.successor.as_ref().is_some_and(|successor| successor.sha256 == view.sha256));
            let is_brought = brought.is_some();
            let registered = brought.map(|item| item.registered).filter(|is| *is || accounts.is_empty());
            known.push(account::Known { certificate: view, registered, is_brought, accounts });
        }
        known.sort_by(|a, b| b.certificate.not_after.cmp(&a.certificate.not_after));
        Ok(account::page(texts, &known))
    }

    /// Logs in with a certificate.
    pub(crate) fn rehearse(&mut self, sha256: &str) -> Result<Page, ClientError> {
        self.look()?;
        let inventory = self.inventory.as_ref().ok_or_else(gone)?;
        let (store, certificate) = inventory.certificate(sha256)?;
        match inventory.rehearse(&self.home, &store, &certificate, &self.talk, &self.clock)? {
            LoginOutcome::Opened { account, .. } if self.seen.place == Some(Place::Account) => {
                let page = self.account()?;
                Ok(self.well(page, "login-works", &[("account", &account)]))
            }
            LoginOutcome::Opened { account, .. } => self.certificate(sha256, Some(("login-works", account))),
            LoginOutcome::Explained(code) => Err(ClientError::new("login-failed", code)),
        }
    }

    /// The person says that an account knows a certificate; the renewal that waits for that goes on.
    pub(crate) fn told(&mut self, sha256: &str, party: &str) -> Result<Page, ClientError> {
        self.look()?;
        let inventory = self.inventory.as_ref().ok_or_else(gone)?;
        let (_, certificate) = inventory.certificate(sha256)?;
        inventory.told(&self.home, &certificate, party)?;
        if self.open_journeys()?.is_empty() { self.account() } else { self.resume(false, None) }
    }

    /// Puts certificates of authorities where browsers look for them.
    pub(crate) fn chain(&mut self) -> Result<Page, ClientError> {
        self.look()?;
        let inventory = self.inventory.as_ref().ok_or_else(gone)?;
        let placed = inventory.place_chain(&self.home, None, &self.talk)?;
        let texts = self.texts();
        let mut page = self.devices()?;
        for one in placed {
            let words = [("store", one.name.as_str()), ("names", &one.authorities.join(", "))];
            page.notice(Mark::Good, texts.get("chain-placed", &words), "");
        }
        Ok(page)
    }

    /// Looks at everything that a help desk would ask for.
    pub(crate) fn doctor(&mut self, mended: Option<&[String]>) -> Result<Page, ClientError> {
        let findings = examine(&self.home, &[], &self.clock);
        let cards = Inventory::open(&self.home, &[]).map(|all| all.cards().to_vec()).unwrap_or_default();
        Ok(help::doctor(self.texts(), &findings, &cards, mended))
    }

    /// The page for a question to people.
    pub(crate) fn ask_people(&mut self, act: &Act) -> Result<Page, ClientError> {
        match act {
            Act::Technical(is_technical) => self.ticket.0 = *is_technical,
            Act::Missing(nth) => {
                let page = guide(self.texts().language()).get(*nth).map(|page| page.title.to_owned());
                self.ticket = (false, page);
            }
            _ => self.ticket = (true, None),
        }
        let (contact, own) = (help_desk(&self.home)?, self.home.help_contact()?);
        let is_own = contact.to == own.to && contact.technical == own.technical;
        // What is missing in the guide is nothing that went wrong.
        let trouble = self.trouble.as_deref().filter(|_| self.ticket.1.is_none());
        Ok(help::ticket(self.texts(), &contact, (self.ticket.0, is_own), self.ticket.1.as_deref(), trouble))
    }

    /// Writes the question with the bundle; what was typed of the office is remembered.
    pub(crate) fn write_ticket(&mut self, as_message: bool, fields: &Fields) -> Result<Page, ClientError> {
        let texts = self.texts();
        let is_technical = self.ticket.0;
        let mut kept = self.home.help_contact()?;
        let typed =
            |name: &str, old: &str| fields.get(name).map_or_else(|| old.to_owned(), |new| new.trim().to_owned());
        let own = kept.clone();
        kept.organisation = typed("organisation", &kept.organisation);
        kept.reference = typed("reference", &kept.reference);
        let mailbox = typed("mailbox", kept.mailbox(is_technical));
        match is_technical && !kept.technical.is_empty() {
            true => kept.technical = mailbox,
            false => kept.to = mailbox,
        }
        let mut contact = help_desk(&self.home)?;
        if (&contact.to, &contact.technical) == (&own.to, &own.technical) {
            (contact.to, contact.technical) = (kept.to.clone(), kept.technical.clone());
        }
        (contact.organisation, contact.reference) = (kept.organisation.clone(), kept.reference.clone());
        let findings = examine(&self.home, &[], &self.clock);
        let bad = findings.iter().filter_map(|finding| {
            let advice = finding.advice.as_ref()?;
            Some(format!("[{advice}] {}", finding.detail))
        });
        let trouble = self.trouble.iter().filter(|_| self.ticket.1.is_none()).cloned();
        let question = HelpQuestion {
            subject: texts.get("help-subject", &[]),
            greeting: texts.get("help-greeting", &[]),
            words: fields.get("words").cloned().unwrap_or_default(),
            trouble: trouble.chain(bad).collect(),
            is_technical,
        };
        let text = help_text(&contact, &question)?;
        // What made a whole message is remembered, and stands in the bundle.
        self.home.set_help_contact(&kept)?;
        let folder = self.home.folder().join("requests");
        std::fs::create_dir_all(&folder)?;
        let (name, key, body) = match as_message {
            true => {
                let bundle = help_bundle(&self.home, &[], &findings, &self.clock)?;
                ("help.eml", "message-written", help_message(&contact, &question, &bundle, &self.clock)?)
            }
            false => ("help.txt", "window-text-written", text.clone()),
        };
        let file = folder.join(name);
        write(&file, &body)?;
        Ok(help::written(texts, Place::Help, key, &file.display().to_string(), (!as_message).then_some(&text)))
    }

    /// Writes what an administrator is asked for.
    pub(crate) fn administrator(&mut self) -> Result<Page, ClientError> {
        let texts = self.texts();
        let inventory = self.look()?;
        let text = words::for_administrator(texts, inventory.cards());
        let folder = self.home.folder().join("requests");
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("administrator.txt");
        write(&file, &text)?;
        let file = file.display().to_string();
        Ok(help::written(texts, Place::Help, "administrator-written", &file, Some(&text)))
    }

    /// What an authority is trusted by: names and SHA-256.
    fn anchors(&self, record: &AuthorityRecord) -> Vec<(String, String)> {
        let print = |anchor| obnova_client::CertificateView::of(anchor, "", self.clock.now()).sha256;
        let anchors = record.anchor_certificates().unwrap_or_default();
        anchors.iter().map(|anchor| (anchor.subject().common_name(), print(anchor))).collect()
    }

    pub(crate) fn settings(&mut self) -> Result<Page, ClientError> {
        let authorities = self.home.authorities()?.into_iter().map(|record| {
            let anchors = self.anchors(&record);
            (record, anchors)
        });
        let authorities = authorities.collect();
        let seen = settings::Settings {
            window: self.home.window()?,
            is_reminded: has_schedule(&self.home),
            has_shortcut: has_shortcut(),
            backup: self.home.backup()?,
            authorities,
            stores: self.home.stores()?,
            folder: self.home.folder().display().to_string(),
        };
        Ok(settings::page(self.texts(), &seen))
    }

    /// Changes a setting, and shows them all again.
    pub(crate) fn set(&mut self, setting: &Setting, fields: &Fields) -> Result<Page, ClientError> {
        let mut window = self.home.window()?;
        match setting {
            Setting::Language(language) => {
                window.language = (*language).to_owned();
                self.home.set_window(&window)?;
            }
            Setting::Look(look) => {
                window.look = (*look).to_owned();
                self.home.set_window(&window)?;
            }
            Setting::Text(size) => {
                window.text = *size;
                self.home.set_window(&window)?;
            }
            Setting::Remind(true) => {
                install_schedule(&reminder()?, &self.home)?;
            }
            Setting::Remind(false) => remove_schedule(&self.home)?,
            Setting::Shortcut(true) => {
                let program = std::env::current_exe()?;
                add_shortcut(&program, &program.with_file_name("share").join("obnova.png"))?;
            }
            Setting::Shortcut(false) => remove_shortcut()?,
            Setting::BackupFolder => self.home.set_backup(&BackupSetting::To(Self::path(fields, "folder")?))?,
            Setting::Backup(setting) => self.home.set_backup(setting)?,
            Setting::AddStore => {
                self.home.add_named(&Self::path(fields, "store")?)?;
                self.inventory = None;
            }
            Setting::ForgetStore(path) => {
                self.home.forget_store(Path::new(path))?;
                self.inventory = None;
            }
            Setting::AddAuthority(is_est) => {
                let address = fields.get("address").map_or("", |address| address.trim());
                if address.is_empty() {
                    return Err(ClientError::new("path-missing", "address"));
                }
                let anchor = anchor_file(&Self::path(fields, "anchor")?)?;
                let record = AuthorityRecord::by_address(address, *is_est, &anchor, None)?;
                // Nobody is trusted before a person has seen whom.
                let page = settings::trust(self.texts(), address, &self.anchors(&record));
                self.trusting = Some(record);
                return Ok(page);
            }
            Setting::TrustAuthority => {
                let record = self.trusting.take().ok_or_else(gone)?;
                self.home.remember(&record)?;
            }
        }
        self.style();
        self.settings()
    }
}

/// The program that reminds: `obnova`, which lies beside this one.
fn reminder() -> Result<std::path::PathBuf, ClientError> {
    let here = std::env::current_exe()?;
    let program = here.with_file_name(format!("obnova{}", std::env::consts::EXE_SUFFIX));
    if program.exists() { Ok(program) } else { Err(ClientError::new("schedule-refused", program.display())) }
}
