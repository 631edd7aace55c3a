//! The rules of the bench: a text file of `name = value` lines, read anew at every call, and profiles of devices.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Name of the variable that names the file; without it the module refuses to start.
pub const RULES: &str = "FAULTP11_RULES";

/// What a profile stands for, as rules. The figures of the two that were seen on a card come from the virtual card
/// below ykcs11 and OpenSC; the others gather quirks that users of real devices reported.
const PROFILES: [(&str, &str); 7] = [
    ("softhsm", ""),
    // Slow, small, old-fashioned: RSA up to 4096, everything by the user PIN, room for a few pairs.
    (
        "tokenme",
        "capacity = 24000\nfull_rv = 0x05\nmax_rsa_bits = 4096\npin_tries = 3\npuk_tries = 3\nlibrary_version = 1.4\nmodel = TokenME\nmanufacturer = Bit4id",
    ),
    // Keys and certificates only under the SO login, own object numbers, labels ignored, certificates replaced.
    (
        "ykcs11",
        "keygen_needs_so = 1\nown_ids = 1\nreplace_on_write = 1\nrefuse_attribute = 0x162\nmax_rsa_bits = 2048\nbits_rv = 0x13\nfail.C_SetAttributeValue = 0x54\npin_tries = 3\nfull_rv = 0x30\nmodel = YubiKey\nmanufacturer = Yubico",
    ),
    // No generation at all; only the last try and the lock are told.
    ("opensc-piv", "fail.C_GenerateKeyPair = 0x54\nfail.C_CreateObject = 0x54\npin_tries = 3\nonly_final_flag = 1"),
    // One device in two slots, each with a PIN of its own: two tokens below that call themselves by one serial number.
    ("two-pin", "shared_serial = 0123456789abcdef\npin_tries = 3"),
    // PINs are typed on the device.
    ("pin-pad", "pinpad = 123456"),
    // A signature needs the PIN each time.
    ("always-authenticate", "always_authenticate = 1"),
];

/// The rules that hold at this moment.
pub struct Rules(BTreeMap<String, String>);

impl Rules {
    /// Reads the file; `None` outside of tests, where nobody names one.
    pub fn read() -> Option<Self> {
        let path = PathBuf::from(std::env::var_os(RULES)?);
        Some(Self::parse(&std::fs::read_to_string(path).ok()?))
    }

    /// Lines of `name = value`; a profile's rules first, and the file's own over them.
    pub fn parse(text: &str) -> Self {
        let lines = |text: &str| -> Vec<(String, String)> {
            text.lines()
                .filter(|line| !line.trim_start().starts_with('#'))
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
                .collect()
        };
        let own = lines(text);
        let mut rules = BTreeMap::new();
        for (_, wanted) in own.iter().filter(|(name, _)| name == "profile") {
            for (_, profile) in PROFILES.iter().filter(|(name, _)| name == wanted) {
                rules.extend(lines(profile));
            }
        }
        rules.extend(own);
        Self(rules)
    }

    /// A rule as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A rule as a number, decimal or `0x`.
    pub fn number(&self, name: &str) -> Option<u64> {
        number(self.text(name)?)
    }

    /// A rule that is `1`.
    pub fn is_set(&self, name: &str) -> bool {
        self.number(name) == Some(1)
    }

    /// `fail.CALL = CODE[@N][#N]`: the code for the `n`-th call (from one), from the N-th on (`@`) or then only (`#`).
    pub fn fails(&self, call: &str, n: u64) -> Option<u64> {
        let rule = self.text(&format!("fail.{call}"))?;
        if let Some((code, from)) = rule.split_once('@') {
            return (n >= number(from)?).then(|| number(code)).flatten();
        }
        if let Some((code, only)) = rule.split_once('#') {
            return (n == number(only)?).then(|| number(code)).flatten();
        }
        number(rule)
    }

    /// Whether `WHAT.CALL = N` names just this call.
    pub fn strikes(&self, what: &str, call: &str, n: u64) -> bool {
        self.number(&format!("{what}.{call}")) == Some(n)
    }
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Counters that outlive a process, beside the rules file: wrong PINs, and whether the device was pulled.
pub struct Counter(PathBuf);

impl Counter {
    /// The counter of this name.
    pub fn named(name: &str) -> Self {
        let mut path = std::env::var_os(RULES).unwrap_or_default();
        path.push(format!(".{name}"));
        Self(PathBuf::from(path))
    }

    /// How much it is; zero when it was never touched.
    pub fn get(&self) -> u64 {
        std::fs::read_to_string(&self.0).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Sets it.
    pub fn set(&self, value: u64) {
        let _ = std::fs::write(&self.0, value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_stands_over_the_profile() {
        let rules = Rules::parse("profile = tokenme\n# no\nfull_rv = 0x31\nfail.C_Sign = 0x30#2\nfail.C_Login = 5@3\n");
        assert_eq!(rules.number("capacity"), Some(24_000));
        assert_eq!(rules.number("full_rv"), Some(0x31));
        assert_eq!([1, 2, 3].map(|n| rules.fails("C_Sign", n)), [None, Some(0x30), None]);
        assert_eq!([1, 2, 3, 4].map(|n| rules.fails("C_Login", n)), [None, None, Some(5), Some(5)]);
        assert_eq!(Rules::parse("").text("capacity"), None);
    }
}
