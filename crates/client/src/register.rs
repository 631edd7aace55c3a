//! The device register that the program carries (`data/devices.toml`), and what it says on a day.

use std::sync::OnceLock;
use std::time::SystemTime;

use obnova_lifecycle::device::{DeviceRegister, Standing};
use obnova_lifecycle::port::{StoreInfo, StoreKind};
use obnova_pki::Certificate;

/// The register.
pub(crate) fn register() -> &'static DeviceRegister {
    static REGISTER: OnceLock<DeviceRegister> = OnceLock::new();
    REGISTER.get_or_init(|| {
        // A test reads it; an empty one could only come from a broken build.
        toml::from_str(include_str!("../data/devices.toml")).unwrap_or_else(|_| DeviceRegister {
            read: String::new(),
            middleware: Vec::new(),
            device: Vec::new(),
            card: Vec::new(),
            key_size: Vec::new(),
        })
    })
}

/// The day of a moment in UTC, as `2026-12-31`.
pub(crate) fn day(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()).unwrap_or_default()
}

/// File names of all known modules on this system.
pub(crate) fn module_names() -> impl Iterator<Item = &'static str> + Clone {
    register().middleware.iter().flat_map(|middleware| {
        let names = if cfg!(windows) {
            &middleware.windows
        } else if cfg!(target_os = "macos") {
            &middleware.macos
        } else {
            &middleware.linux
        };
        names.iter().map(String::as_str)
    })
}

/// What may truly be said of a certificate's claim to live on a qualified device: a code (`device-CODE`) and a day.
/// `None` when it claims nothing.
pub(crate) fn truth(certificate: &Certificate, store: &StoreInfo, now: SystemTime) -> Option<(&'static str, String)> {
    if !certificate.claims_qualified_device() {
        return None;
    }
    let StoreKind::Token { manufacturer, model, .. } = &store.kind else {
        return Some(("elsewhere", String::new()));
    };
    Some(match register().standing(manufacturer, model, &day(now)) {
        Standing::Qualified { until } => ("qualified", until),
        Standing::Ended { until } => ("ended", until),
        Standing::Perhaps { .. } | Standing::Unknown => ("unknown", String::new()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use obnova_pki::KeyKind;

    #[test]
    fn the_register_is_read_whole() {
        let register: DeviceRegister = toml::from_str(include_str!("../data/devices.toml")).unwrap();
        for device in &register.device {
            assert!(register.middleware_of(device).is_some(), "{}: its middleware is not listed", device.name);
            assert!(!device.source.is_empty(), "{}", device.name);
            for key in &device.keys {
                assert!(KeyKind::from_name(key).is_some(), "{}: {key}", device.name);
            }
            let is_date = |text: &str| text.parse::<jiff::civil::Date>().is_ok();
            assert!(device.qualified_until.as_deref().is_none_or(is_date), "{}", device.name);
        }
        for card in &register.card {
            assert!(register.middleware_of_card(card).is_some(), "{}: its middleware is not listed", card.name);
            assert!(!card.source.is_empty() && (card.reader.is_some() || !card.atr.is_empty()), "{}", card.name);
            let is_pattern =
                |atr: &String| atr.starts_with('3') && atr.chars().all(|c| "0123456789ABCDEF.".contains(c));
            assert!(card.atr.iter().all(is_pattern), "{}", card.name);
        }
        assert!(!register.key_size.is_empty());
        assert_eq!(day(SystemTime::UNIX_EPOCH), "1970-01-01");
        assert!(matches!(
            register.standing("Oberthur Technologies", "TokenME", "2026-11-23"),
            Standing::Perhaps { until } if until == "2022-12-31"
        ));
    }
}
