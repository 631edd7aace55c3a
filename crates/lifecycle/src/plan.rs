//! The plan for a person's certificates: the person chooses the goal, the planner owns the order.
//!
//! The order that always holds: the qualified successor is asked for, installed and tested before the
//! commercial one; the account learns the commercial successor while the old one still logs in; nothing
//! old goes before a login with the new one succeeded.

use crate::issuance::Actor;

/// Kind of a person's certificate, as far as the plan is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Which {
    /// The qualified one, for signatures.
    Qualified,
    /// The commercial one, for login and encryption.
    Commercial,
}

/// How a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Valid, and not yet in its renewal window.
    Valid,
    /// Valid, and to be renewed now.
    Expiring,
    /// Ended.
    Expired,
    /// There is none.
    Absent,
}

/// How many pairs of key and certificate fit onto the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Room {
    /// Nothing more.
    None,
    /// One pair.
    OnePair,
    /// Two pairs, or more, or the device gives no reason to doubt it.
    TwoPairs,
}

/// What opens the person's account today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Login {
    /// The commercial certificate that is to be renewed.
    OldCertificate,
    /// The successor already.
    NewCertificate,
    /// A password.
    Password,
    /// Nothing works.
    None,
}

/// What the authority says beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It will issue.
    Issue,
    /// A person there must look first.
    Wait,
    /// It will not.
    Refuse,
}

/// Everything that the order depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Situation {
    /// Room on the device.
    pub room: Room,
    /// The qualified certificate.
    pub qualified: Presence,
    /// The commercial certificate.
    pub commercial: Presence,
    /// What opens the account.
    pub login: Login,
    /// Whether the device is certified for qualified certificates today, or none is claimed.
    pub device_certified: bool,
    /// The authority's verdict.
    pub answer: Answer,
}

/// One step; nothing starts before its left neighbour is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Make the key on the device, ask, wait, check and confirm.
    Obtain(Which),
    /// The same with the key in a password-protected file, because the device has no room.
    ObtainOnFile(Which),
    /// Write the certificate beside its key.
    Install(Which),
    /// Sign a fresh challenge with the new pair.
    Prove(Which),
    /// Log in to the account the way that works today.
    LogIn,
    /// Tell the account about the commercial successor.
    Register,
    /// Log in with the successor.
    Rehearse,
    /// Take the predecessor out of use and archive its public part.
    Retire(Which),
    /// The person agrees in words to lose what only the old key decrypts.
    AgreeToLoseOldMail,
    /// Remove the old pair from the device to make room.
    Remove(Which),
}

/// Something that only somebody else, or the person, can mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MustAct {
    /// Who.
    pub who: Actor,
    /// Stable code of the reason, also the key of its text (`must-act-CODE`).
    pub why: &'static str,
}

/// Steps in their order, and who else must act.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What will be done.
    pub steps: Vec<Step>,
    /// What will not, and who can mend it.
    pub must_act: Vec<MustAct>,
}

/// Makes the plan; where no safe order exists it has no steps and says who must act.
pub fn plan(situation: &Situation) -> Plan {
    use Which::{Commercial, Qualified};
    let mut plan = Plan::default();
    let mut must = |who, why| plan.must_act.push(MustAct { who, why });
    let mut wants_qualified = situation.qualified == Presence::Expiring;
    let wants_commercial = situation.commercial == Presence::Expiring;
    if situation.qualified == Presence::Expired {
        must(Actor::Authority, "qualified-expired");
    }
    if situation.commercial == Presence::Expired {
        must(Actor::Authority, "commercial-expired");
        if situation.login == Login::OldCertificate {
            must(Actor::LocalAdministrator, "login-expired");
        }
    }
    if wants_qualified && !situation.device_certified {
        must(Actor::Holder, "device-ended");
        wants_qualified = false;
    }
    if !(wants_qualified || wants_commercial) {
        return plan;
    }
    if situation.answer == Answer::Refuse {
        must(Actor::AuthorisedPerson, "authority-refuses");
        return plan;
    }
    let mut pairs = match situation.room {
        Room::None => 0,
        Room::OnePair => 1,
        Room::TwoPairs => 2,
    };
    let mut steps = Vec::new();
    if pairs == 0 && situation.qualified == Presence::Expired {
        steps.push(Step::Remove(Qualified));
        pairs = 1;
    } else if pairs == 0 && situation.commercial == Presence::Expired && situation.login != Login::OldCertificate {
        steps.extend([Step::AgreeToLoseOldMail, Step::Remove(Commercial)]);
        pairs = 1;
    }
    let on_device = |which| [Step::Obtain(which), Step::Install(which), Step::Prove(which)];
    let account: &[Step] = match situation.login {
        Login::OldCertificate | Login::Password => &[Step::LogIn, Step::Register, Step::Rehearse],
        Login::NewCertificate => &[Step::Rehearse],
        Login::None => &[],
    };
    let can_register = !account.is_empty();
    match (wants_qualified, wants_commercial, pairs) {
        (true, true, 0) | (false, true, 0) => {
            // Nothing on the device may go: the commercial successor lives in a file first.
            if !can_register {
                must(Actor::LocalAdministrator, "no-room-and-no-login");
                return plan;
            }
            steps.extend([Step::ObtainOnFile(Commercial), Step::Prove(Commercial)]);
            steps.extend(account);
            steps.push(Step::Retire(Commercial));
            if wants_qualified {
                steps.extend([Step::AgreeToLoseOldMail, Step::Remove(Commercial)]);
                steps.extend(on_device(Qualified));
                steps.push(Step::Retire(Qualified));
            }
        }
        (true, false, 0) => {
            must(Actor::Holder, "no-room");
            return plan;
        }
        (qualified, commercial, pairs) => {
            if qualified {
                steps.extend(on_device(Qualified));
                steps.push(Step::Retire(Qualified));
                if commercial && pairs == 1 {
                    steps.push(Step::Remove(Qualified));
                }
            }
            if commercial {
                steps.extend(on_device(Commercial));
                steps.extend(account);
                if can_register {
                    steps.push(Step::Retire(Commercial));
                } else {
                    must(Actor::LocalAdministrator, "no-login");
                }
            }
        }
    }
    plan.steps = steps;
    plan
}

impl Situation {
    /// Every situation there is, in a fixed order.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        let presences = [Presence::Valid, Presence::Expiring, Presence::Expired, Presence::Absent];
        for room in [Room::None, Room::OnePair, Room::TwoPairs] {
            for qualified in presences {
                for commercial in presences {
                    for login in [Login::OldCertificate, Login::NewCertificate, Login::Password, Login::None] {
                        for device_certified in [true, false] {
                            for answer in [Answer::Issue, Answer::Wait, Answer::Refuse] {
                                all.push(Self { room, qualified, commercial, login, device_certified, answer });
                            }
                        }
                    }
                }
            }
        }
        all
    }
}

/// The whole table as Markdown, one row for each way that the planner can answer.
pub fn table() -> String {
    let mut rows: Vec<(Plan, Vec<Situation>)> = Vec::new();
    for situation in Situation::all() {
        let answer = plan(&situation);
        match rows.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, situations)) => situations.push(situation),
            None => rows.push((answer, vec![situation])),
        }
    }
    let mut out = String::from(
        "# What the planner answers\n\nMade from the code; a test compares it. One row for each different answer over all situations:\n\
         room x qualified x commercial x login x device x verdict.\n\n\
         | situations | for example | steps | who must act |\n| --- | --- | --- | --- |\n",
    );
    for (answer, situations) in rows {
        let example = &situations[0];
        let steps: Vec<String> = answer.steps.iter().map(|step| format!("{step:?}")).collect();
        let must: Vec<String> = answer.must_act.iter().map(|must| format!("{:?}: {}", must.who, must.why)).collect();
        out.push_str(&format!(
            "| {} | room {:?}, qualified {:?}, commercial {:?}, login {:?}, device {}, authority {:?} | {} | {} |\n",
            situations.len(),
            example.room,
            example.qualified,
            example.commercial,
            example.login,
            if example.device_certified { "certified" } else { "not certified" },
            example.answer,
            if steps.is_empty() { "none".to_owned() } else { steps.join(", ") },
            if must.is_empty() { "nobody".to_owned() } else { must.join(", ") },
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device and an account, as small as the promise needs them.
    #[derive(Clone)]
    struct World {
        room: i32,
        old: [bool; 2],
        old_valid: [bool; 2],
        new: [bool; 2],
        bound_old: bool,
        bound_new: bool,
        password: bool,
    }

    fn index(which: Which) -> usize {
        match which {
            Which::Qualified => 0,
            Which::Commercial => 1,
        }
    }

    impl World {
        fn of(situation: &Situation) -> Self {
            let there = |presence| matches!(presence, Presence::Valid | Presence::Expiring | Presence::Expired);
            let valid = |presence| matches!(presence, Presence::Valid | Presence::Expiring);
            Self {
                room: match situation.room {
                    Room::None => 0,
                    Room::OnePair => 1,
                    Room::TwoPairs => 2,
                },
                old: [there(situation.qualified), there(situation.commercial)],
                old_valid: [valid(situation.qualified), valid(situation.commercial)],
                new: [false, false],
                bound_old: situation.login == Login::OldCertificate,
                bound_new: situation.login == Login::NewCertificate,
                password: situation.login == Login::Password,
            }
        }

        fn works(&self, which: usize) -> bool {
            self.new[which] || (self.old[which] && self.old_valid[which])
        }

        fn logs_in(&self) -> bool {
            self.password || (self.bound_new && self.new[1]) || (self.bound_old && self.old[1] && self.old_valid[1])
        }

        fn act(&mut self, step: Step, done: &[Step]) {
            match step {
                Step::Obtain(_) => self.room -= 1,
                Step::ObtainOnFile(_) => {}
                Step::Install(which) => assert!(done.contains(&Step::Obtain(which))),
                Step::Prove(which) => {
                    assert!(done.contains(&Step::Install(which)) || done.contains(&Step::ObtainOnFile(which)));
                    self.new[index(which)] = true;
                }
                Step::LogIn => assert!(self.logs_in() && done.contains(&Step::Prove(Which::Commercial))),
                Step::Register => {
                    assert!(done.contains(&Step::LogIn));
                    self.bound_new = true;
                }
                Step::Rehearse => assert!(self.bound_new && self.new[1]),
                Step::Retire(which) => {
                    assert!(done.contains(&Step::Prove(which)));
                    if which == Which::Commercial {
                        assert!(done.contains(&Step::Rehearse));
                        self.bound_old = false;
                    }
                }
                Step::AgreeToLoseOldMail => {}
                Step::Remove(which) => {
                    if which == Which::Commercial {
                        assert!(done.contains(&Step::AgreeToLoseOldMail));
                    }
                    self.old[index(which)] = false;
                    self.room += 1;
                }
            }
            assert!(self.room >= 0, "the device is full");
        }
    }

    #[test]
    fn every_plan_keeps_its_promise_at_every_step() {
        let mut walked = 0;
        for situation in Situation::all() {
            let answer = plan(&situation);
            let start = World::of(&situation);
            // A login by the new certificate means that the successor exists already, somewhere.
            let login_at_start = start.logs_in();
            for stop in 0..=answer.steps.len() {
                let mut world = start.clone();
                for (i, step) in answer.steps[..stop].iter().enumerate() {
                    world.act(*step, &answer.steps[..i]);
                    for kind in 0..2 {
                        assert!(!start.works(kind) || world.works(kind), "{situation:?} loses {kind} at {step:?}");
                    }
                    assert!(!login_at_start || world.logs_in(), "{situation:?} is locked out at {step:?}");
                }
                walked += 1;
            }
            let at = |wanted| answer.steps.iter().position(|step| *step == wanted);
            // Where both are made on the device, the qualified one is proven before the commercial is asked for.
            if let (Some(proven), Some(asked)) =
                (at(Step::Prove(Which::Qualified)), at(Step::Obtain(Which::Commercial)))
            {
                assert!(proven < asked);
            }
            if answer.steps.is_empty() {
                let to_do = situation.qualified == Presence::Expiring || situation.commercial == Presence::Expiring;
                assert!(!to_do || !answer.must_act.is_empty(), "{situation:?} is left without a word");
            }
        }
        assert!(walked > 1_152);
    }

    #[test]
    fn the_table_in_the_docs_is_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plans.md");
        if std::env::var_os("OBNOVA_WRITE_DOCS").is_some() {
            std::fs::write(path, table()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), table(), "run the test with OBNOVA_WRITE_DOCS=1");
    }
}
