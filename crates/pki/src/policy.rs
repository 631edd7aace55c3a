//! Certificate policies along a path (RFC 5280 section 6.1, as RFC 9618 computes it): a graph with one node for each policy
//! at each depth, so that no path makes it grow beyond what its certificates say.

use std::collections::{BTreeMap, BTreeSet};

use der::Sequence;
use der::asn1::ObjectIdentifier;

use crate::{Certificate, decode, oid};

/// What whoever validates demands of policies (RFC 5280 section 6.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicySettings {
    /// Policies of which one is wanted; empty means any.
    pub initial: Vec<ObjectIdentifier>,
    /// Whether the path must be good for at least one of them.
    pub explicit: bool,
    /// Whether mappings are not followed.
    pub inhibit_mapping: bool,
    /// Whether anyPolicy stands for nothing.
    pub inhibit_any: bool,
}

#[derive(Sequence)]
struct Mapping {
    issuer_domain: ObjectIdentifier,
    subject_domain: ObjectIdentifier,
}

#[derive(Sequence)]
struct Constraints {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    require_explicit: Option<u32>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    inhibit_mapping: Option<u32>,
}

#[derive(Clone, Default)]
struct Node {
    expected: BTreeSet<ObjectIdentifier>,
    parents: BTreeSet<ObjectIdentifier>,
}

type Level = BTreeMap<ObjectIdentifier, Node>;

/// The state of policies while a path is walked from its anchor downwards.
pub(crate) struct Policies {
    /// From the anchor to the last certificate that was taken; `None` when nothing is valid any more.
    levels: Option<Vec<Level>>,
    explicit: usize,
    mapping: usize,
    any: usize,
    settings: PolicySettings,
}

fn set(one: ObjectIdentifier) -> BTreeSet<ObjectIdentifier> {
    BTreeSet::from([one])
}

impl Policies {
    /// Before the first of `length` certificates.
    pub(crate) fn new(settings: &PolicySettings, length: usize) -> Self {
        let unless = |flag: bool| if flag { 0 } else { length + 1 };
        let root = Level::from([(oid::ANY_POLICY, Node { expected: set(oid::ANY_POLICY), parents: BTreeSet::new() })]);
        Self {
            levels: Some(vec![root]),
            explicit: unless(settings.explicit),
            mapping: unless(settings.inhibit_mapping),
            any: unless(settings.inhibit_any),
            settings: settings.clone(),
        }
    }

    /// Section 6.1.3 (d) to (f).
    pub(crate) fn take(&mut self, certificate: &Certificate, is_last: bool) -> Result<(), &'static str> {
        if certificate.extension(oid::CERTIFICATE_POLICIES).is_none() {
            self.levels = None;
        }
        if let Some(levels) = &mut self.levels {
            let told: BTreeSet<ObjectIdentifier> = certificate.policies().into_iter().collect();
            let above = &levels[levels.len() - 1];
            let mut level = Level::new();
            for &policy in told.iter().filter(|policy| **policy != oid::ANY_POLICY) {
                let mut parents: BTreeSet<ObjectIdentifier> =
                    above.iter().filter(|(_, node)| node.expected.contains(&policy)).map(|(name, _)| *name).collect();
                if parents.is_empty() && above.contains_key(&oid::ANY_POLICY) {
                    parents = set(oid::ANY_POLICY);
                }
                if !parents.is_empty() {
                    level.insert(policy, Node { expected: set(policy), parents });
                }
            }
            let self_issued = certificate.subject().matches(certificate.issuer());
            if told.contains(&oid::ANY_POLICY) && (self.any > 0 || (!is_last && self_issued)) {
                for (name, node) in above {
                    for &expected in &node.expected {
                        let child = level
                            .entry(expected)
                            .or_insert_with(|| Node { expected: set(expected), parents: BTreeSet::new() });
                        child.parents.insert(*name);
                    }
                }
            }
            match level.is_empty() {
                true => self.levels = None,
                false => levels.push(level),
            }
        }
        match self.explicit == 0 && self.levels.is_none() {
            true => Err("it is good for none of the policies that are required"),
            false => Ok(()),
        }
    }

    /// Section 6.1.4 (a), (b) and (h) to (j), before the next certificate.
    pub(crate) fn prepare(&mut self, certificate: &Certificate) -> Result<(), &'static str> {
        if let Some(value) = certificate.extension(oid::POLICY_MAPPINGS) {
            let mappings: Vec<Mapping> =
                decode("policyMappings", value).map_err(|_| "policyMappings cannot be read")?;
            self.map(&mappings)?;
        }
        if !certificate.subject().matches(certificate.issuer()) {
            for counter in [&mut self.explicit, &mut self.mapping, &mut self.any] {
                *counter = counter.saturating_sub(1);
            }
        }
        self.constrain(certificate)?;
        if let Some(value) = certificate.extension(oid::INHIBIT_ANY_POLICY) {
            let skip: u32 = decode("inhibitAnyPolicy", value).map_err(|_| "inhibitAnyPolicy cannot be read")?;
            self.any = self.any.min(usize::try_from(skip).unwrap_or(usize::MAX));
        }
        Ok(())
    }

    fn constrain(&mut self, certificate: &Certificate) -> Result<(), &'static str> {
        let Some(value) = certificate.extension(oid::POLICY_CONSTRAINTS) else { return Ok(()) };
        let told: Constraints = decode("policyConstraints", value).map_err(|_| "policyConstraints cannot be read")?;
        if told.require_explicit.is_none() && told.inhibit_mapping.is_none() {
            return Err("policyConstraints is empty");
        }
        let least = |counter: usize, skip: Option<u32>| match skip {
            Some(skip) => counter.min(usize::try_from(skip).unwrap_or(usize::MAX)),
            None => counter,
        };
        self.explicit = least(self.explicit, told.require_explicit);
        self.mapping = least(self.mapping, told.inhibit_mapping);
        Ok(())
    }

    fn map(&mut self, mappings: &[Mapping]) -> Result<(), &'static str> {
        let is_any = |one: &Mapping| [one.issuer_domain, one.subject_domain].contains(&oid::ANY_POLICY);
        if mappings.is_empty() || mappings.iter().any(is_any) {
            return Err("policyMappings maps anyPolicy, or nothing");
        }
        let Some(levels) = &mut self.levels else { return Ok(()) };
        let Some(level) = levels.last_mut() else { return Ok(()) };
        let mut targets: BTreeMap<ObjectIdentifier, BTreeSet<ObjectIdentifier>> = BTreeMap::new();
        for mapping in mappings {
            targets.entry(mapping.issuer_domain).or_default().insert(mapping.subject_domain);
        }
        let any_parents = level.get(&oid::ANY_POLICY).map(|any| any.parents.clone());
        for (issuer, subjects) in targets {
            if self.mapping == 0 {
                level.remove(&issuer);
            } else if let Some(node) = level.get_mut(&issuer) {
                node.expected = subjects;
            } else if let Some(parents) = &any_parents {
                level.insert(issuer, Node { expected: subjects, parents: parents.clone() });
            }
        }
        if level.is_empty() {
            self.levels = None;
        }
        Ok(())
    }

    /// Section 6.1.5: whether the path is good.
    pub(crate) fn finish(mut self, last: &Certificate) -> Result<(), &'static str> {
        self.explicit = self.explicit.saturating_sub(1);
        if let Some(value) = last.extension(oid::POLICY_CONSTRAINTS) {
            let told: Constraints =
                decode("policyConstraints", value).map_err(|_| "policyConstraints cannot be read")?;
            if told.require_explicit == Some(0) {
                self.explicit = 0;
            }
        }
        match self.explicit > 0 || self.is_wanted() {
            true => Ok(()),
            false => Err("it is good for none of the policies that are required"),
        }
    }

    /// Whether one of the wanted policies leads from the anchor to the end (section 6.1.5 (g)).
    fn is_wanted(&self) -> bool {
        let Some(levels) = &self.levels else { return false };
        let wanted = &self.settings.initial;
        let is_free = wanted.is_empty() || wanted.contains(&oid::ANY_POLICY);
        let mut alive = set(oid::ANY_POLICY);
        for level in &levels[1..] {
            let leads = |(policy, node): &(&ObjectIdentifier, &Node)| {
                node.parents.iter().any(|parent| {
                    alive.contains(parent)
                        && (*parent != oid::ANY_POLICY
                            || is_free
                            || **policy == oid::ANY_POLICY
                            || wanted.contains(policy))
                })
            };
            alive = level.iter().filter(leads).map(|(policy, _)| *policy).collect();
        }
        !alive.is_empty()
    }
}
