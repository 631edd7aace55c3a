//! The worker's part in renewals: looking ahead, asking the authority, walking the road, and taking up what waits.

use std::path::PathBuf;

use obnova_client::{
    CertificateView, ClientError, Flow, Inventory, Invitation, Journey, JourneyView, Mailed, Outlook, Preflight,
    Progress, RenewOptions, Station, anchor_file, has_schedule,
};

use crate::page::{Act, Block, Button, CERTIFICATES, Field, Page, Place, Wanted};
use crate::talk::{Fields, Talk, Tell};
use crate::worker::{Prepared, Shown, Worker};
use crate::{help, overview, renew, settings};

/// Tells the window how far the work is.
struct Told<'a> {
    talk: &'a Talk,
    kinds: Vec<String>,
    reached: Vec<Option<Station>>,
}

impl<'a> Told<'a> {
    fn of(talk: &'a Talk, kinds: Vec<String>) -> Self {
        let reached = vec![None; kinds.len()];
        let told = Self { talk, kinds, reached };
        told.show();
        told
    }

    fn show(&self) {
        let (steps, done, all) = renew::steps(self.talk.texts(), &self.kinds, &self.reached);
        self.talk.tell(Tell::Work { steps, done, all });
    }
}

impl Progress for Told<'_> {
    fn station(&mut self, item: usize, kind: &str, station: Station) {
        if self.kinds.len() <= item {
            self.kinds.resize(item + 1, kind.to_owned());
            self.reached.resize(item + 1, None);
        }
        self.reached[item] = Some(station);
        self.talk.tell(Tell::Warning(String::new()));
        self.show();
    }

    fn slow(&mut self, _item: usize, _kind: &str, what: &'static str) {
        self.show();
        self.talk.tell(Tell::Warning(self.talk.texts().get(&format!("slow-{what}"), &[])));
    }
}

fn nothing_looked_at() -> ClientError {
    ClientError::new("no-plan", "-")
}

impl Worker {
    /// What a renewal would be.
    pub(crate) fn outlook(&mut self, only: Option<&str>) -> Result<Page, ClientError> {
        // What was opened by a password stays open.
        self.look()?;
        let inventory = self.inventory.as_ref().ok_or_else(nothing_looked_at)?;
        let outlook = Outlook::of(&self.home, inventory, only, &self.clock)?;
        let page = renew::outlook(self.texts(), &outlook);
        let options = RenewOptions {
            only: only.map(str::to_owned),
            early: only.is_some(),
            // No other device is asked for its PIN than the one that was shown.
            store: Some(outlook.store.clone()),
            ..RenewOptions::default()
        };
        self.prepared = Prepared { options, outlook: Some(outlook), preflight: None };
        Ok(page)
    }

    /// The PIN, the authority's answer; and the work at once, where the answer is what was expected.
    pub(crate) fn agree(&mut self) -> Shown {
        if self.prepared.outlook.is_none() {
            self.outlook(None)?;
        }
        self.talk.step(renew::step(self.texts(), 2));
        self.fill_in()?;
        let view = self.prepare()?;
        let is_ready = self.prepared.preflight.as_ref().is_some_and(Preflight::is_ready);
        let shown = self.prepared.outlook.iter().flat_map(|outlook| &outlook.certificates).map(|view| &view.sha256);
        let is_what_was_shown = shown.eq(view.items.iter().map(|item| &item.certificate.sha256));
        if is_ready && is_what_was_shown && view.is_as_expected() {
            return self.begin().map(Some);
        }
        Ok(Some(renew::plan(self.texts(), &view, is_ready)))
    }

    /// What an authority must know that is asked by mail; every field is known before a key is made.
    fn fill_in(&mut self) -> Result<(), ClientError> {
        self.look()?;
        let Some(outlook) = self.prepared.outlook.as_ref().filter(|outlook| outlook.way == "mail") else {
            return Ok(());
        };
        let inventory = self.inventory.as_ref().ok_or_else(nothing_looked_at)?;
        let mut given = Fields::new();
        for (nth, view) in outlook.certificates.iter().enumerate() {
            let (_, old) = inventory.certificate(&view.sha256)?;
            if nth > 0 {
                self.talk.give(given.clone());
            }
            let mailed = Mailed::prepare(&self.home, inventory, &old, (None, None), &self.talk)?;
            given.extend(mailed.answers().0);
        }
        self.talk.give(given);
        Ok(())
    }

    /// Pre-flight of the whole plan.
    pub(crate) fn prepare(&mut self) -> Result<obnova_client::PlanView, ClientError> {
        self.look()?;
        let inventory = self.inventory.as_ref().ok_or_else(nothing_looked_at)?;
        self.talk.busy("window-asking");
        let found = Preflight::renew(&self.home, inventory, &self.prepared.options, &self.talk, &self.clock)?;
        let view = found.view.clone();
        self.prepared.preflight = Some(found);
        Ok(view)
    }

    /// Walks the road of the plan.
    pub(crate) fn begin(&mut self) -> Result<Page, ClientError> {
        let preflight = self.prepared.preflight.take().ok_or_else(nothing_looked_at)?;
        if !preflight.is_ready() {
            let why = preflight.view.must_act.first().map(|(_, why)| why.clone()).unwrap_or_default();
            return Err(ClientError::new("nobody-made-a-key", why));
        }
        let (home, clock) = (self.home.clone(), self.clock);
        let journey = Journey::begin(&home, preflight, &self.talk, &clock)?;
        let id = journey.id();
        self.has_begun = true;
        let flow = self.walk(journey)?;
        self.ended(&flow, &[id], &[])
    }

    fn walk(&self, mut journey: Journey<'_>) -> Result<Flow, ClientError> {
        let id = journey.id();
        let all = JourneyView::all(&self.home, &self.clock)?;
        let items = all.into_iter().find(|known| known.id == id).map(|known| known.items).unwrap_or_default();
        let mut told = Told::of(&self.talk, items.into_iter().map(|item| item.kind).collect());
        journey.run(&mut told)
    }

    fn ended(&mut self, flow: &Flow, ids: &[String], failed: &[ClientError]) -> Result<Page, ClientError> {
        self.ask_later(flow);
        self.prepared = Prepared::default();
        let mut journeys = JourneyView::all(&self.home, &self.clock)?;
        journeys.retain(|journey| ids.contains(&journey.id));
        let mut untold = Vec::new();
        for view in journeys.iter().flat_map(|journey| &journey.items).filter_map(|item| item.successor.as_ref()) {
            let Some(inventory) = self.inventory.as_ref().filter(|_| view.kind == "commercial") else { continue };
            // One that went into another store is told about on the page of accounts.
            let Ok((_, certificate)) = inventory.certificate(&view.sha256) else { continue };
            // What was reached is shown, whatever else cannot be read.
            let accounts = inventory.accounts(&self.home, &certificate).unwrap_or_default();
            let not_told = accounts.into_iter().filter(|account| account.state == "not-told");
            untold.extend(not_told.map(|account| (view.clone(), account.account)));
        }
        let is_reminded = has_schedule(&self.home);
        let mut page = renew::ended(self.texts(), &renew::Ended { flow, journeys: &journeys, untold, is_reminded });
        for error in failed.iter().rev() {
            page.above(help::notice(self.texts(), error));
        }
        Ok(page)
    }

    /// Goes on with everything that is under way.
    pub(crate) fn resume(&mut self, ask_again: bool, invited: Option<&Invitation>) -> Result<Page, ClientError> {
        self.inventory = None;
        self.look()?;
        let inventory = self.inventory.as_ref().ok_or_else(nothing_looked_at)?;
        let ids: Vec<String> = self.open_journeys()?.into_iter().map(|journey| journey.id).collect();
        let (mut worst, mut failed) = (Flow::Done, Vec::new());
        for id in &ids {
            let path: PathBuf = self.home.folder().join("journeys").join(format!("{id}.journal"));
            let walked = Journey::resume(&self.home, &path, inventory, invited, &self.talk, &self.clock).and_then(
                |mut journey| {
                    if ask_again {
                        journey.ask_again()?;
                    }
                    self.walk(journey)
                },
            );
            match walked {
                Ok(flow) => worst = worst.and(flow),
                // A secret that was refused, or not given, stops all; anything else stops only its own journey.
                Err(error) if error.code.starts_with("pin-") || error.code == crate::talk::CANCELLED => {
                    return Err(error);
                }
                Err(error) => failed.push(error),
            }
        }
        // Where nothing was reached, the trouble is all there is to say.
        if failed.len() == ids.len() && !failed.is_empty() {
            return Err(failed.remove(0));
        }
        if ids.is_empty() {
            let page = self.perform(&Act::Go(Place::Overview), &Fields::new())?.unwrap_or_default();
            return Ok(self.well(page, "nothing-open", &[]));
        }
        self.ended(&worst, &ids, &failed)
    }

    /// Takes over what was begun elsewhere.
    pub(crate) fn adopt(&mut self, fields: &Fields) -> Result<Page, ClientError> {
        self.inventory = None;
        self.look()?;
        let anchor = match fields.get("anchor") {
            Some(_) => Some(anchor_file(&Self::path(fields, "anchor")?)?),
            None => None,
        };
        let inventory = self.inventory.as_ref().ok_or_else(nothing_looked_at)?;
        match inventory.adopt(&self.home, anchor.as_ref(), &self.talk, &self.clock) {
            Ok(adopted) => Ok(renew::adopted(self.texts(), &adopted)),
            // The authority's own certificate is in none of the stores: the person is asked for it.
            Err(error) if error.code == "anchor-needed" && anchor.is_none() => {
                let texts = self.texts();
                let mut page = Page::below(texts, Place::Overview, "window-adopt");
                page.text(texts.get("window-anchor-lines", &[("place", &error.detail)]));
                page.blocks.push(Block::Field(Field {
                    name: "anchor",
                    label: texts.get("window-anchor", &[]),
                    hint: texts.get("window-path-hint", &[]),
                    wanted: Some(Wanted::File(CERTIFICATES)),
                    takes_focus: true,
                    ..Field::default()
                }));
                page.buttons.push(Button::new(texts, "window-back", Act::Go(Place::Overview)));
                page.buttons.push(Button::new(texts, "window-continue", Act::Adopt).main());
                Ok(page)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a certificate from a file, a mail or an address, and goes on with the renewal that waits for it.
    pub(crate) fn take(&mut self, fields: &Fields) -> Result<Page, ClientError> {
        let typed = fields.get("source").map_or("", |source| source.trim());
        let source = match typed.starts_with("http://") || typed.starts_with("https://") {
            true => typed.to_owned(),
            false => Self::path(fields, "source")?.display().to_string(),
        };
        Inventory::pick_up(&self.home, &source, &self.clock)?;
        self.resume(false, None)
    }

    pub(crate) fn ask_invitation(&mut self) -> Result<Page, ClientError> {
        let stores = self.stores()?;
        let fit = stores.iter().filter(|store| store.problem.is_none() && ["token", "file"].contains(&store.kind));
        let fit: Vec<(String, String)> = fit.map(|store| (store.id.clone(), store.name.clone())).collect();
        Ok(settings::invitation(self.texts(), &fit))
    }

    /// The first certificate, by an invitation.
    pub(crate) fn enroll(&mut self, store: &str, fields: &Fields) -> Result<Page, ClientError> {
        let invited = Invitation::read(&Self::path(fields, "invitation")?)?;
        self.look()?;
        let (home, clock) = (self.home.clone(), self.clock);
        let inventory = self.inventory.as_ref().ok_or_else(nothing_looked_at)?;
        let journey = match Journey::enroll(&home, inventory, store, &invited, None, &self.talk, &clock) {
            // It was begun before, and goes on where it stopped.
            Err(error) if error.code == "invitation-in-use" => return self.resume(false, Some(&invited)),
            begun => begun?,
        };
        let id = journey.id();
        let flow = self.walk(journey)?;
        self.ended(&flow, &[id], &[])
    }

    /// One certificate, with what was just found about it.
    pub(crate) fn certificate(&mut self, sha256: &str, said: Option<(&str, String)>) -> Result<Page, ClientError> {
        let (texts, clock, home) = (self.texts(), self.clock, self.home.clone());
        let inventory = self.look()?;
        let (place, found) = inventory.certificate(sha256)?;
        let now = obnova_client::Clock::now(&clock);
        let plain = CertificateView::of(&found, &place, now);
        let view = inventory.views(now).into_iter().find(|view| view.sha256 == sha256).unwrap_or(plain);
        let stores = inventory.stores();
        let store = stores.into_iter().find(|store| store.id == place);
        let store = store.ok_or_else(|| ClientError::new("store-gone", &place))?;
        let next = inventory.nexts(&home, &clock)?;
        let is_due = next.iter().any(|next| next.view.sha256 == sha256 && next.is_due());
        let page = overview::certificate(texts, &view, &store, is_due);
        Ok(match said {
            Some((key, name)) => self.well(page, key, &[("serial", &name), ("account", &name)]),
            None => page,
        })
    }

    /// Tests a certificate by a signature.
    pub(crate) fn prove(&mut self, sha256: &str) -> Result<Page, ClientError> {
        self.look()?;
        let inventory = self.inventory.as_ref().ok_or_else(nothing_looked_at)?;
        let (store, certificate) = inventory.certificate(sha256)?;
        inventory.prove(&store, &certificate, &self.talk, &self.clock)?;
        let serial = certificate.serial().decimal();
        self.certificate(sha256, Some(("proven", serial)))
    }
}
