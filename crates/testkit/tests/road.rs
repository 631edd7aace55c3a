//! The road of a person with two certificates, from pre-flight to retirement.

use std::time::Duration;

use obnova_testkit::{Engine, Office, Postgres, Store, World};

use crate::stage::{has_softhsm, on_both_engines, skip, world, world_by};

fn whole_road(world: &World) {
    let (old_q, old_c) = (world.serial_of("qualified").unwrap(), world.serial_of("commercial").unwrap());
    let output = world.obnova(&["renew", "--all"]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (new_q, new_c) = (world.serial_of("qualified").unwrap(), world.serial_of("commercial").unwrap());
    assert!(new_q != old_q && new_c != old_c);
    // The qualified successor is proven before the commercial one gets its key.
    let told = String::from_utf8_lossy(&output.stderr);
    let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text} is not in {told}"));
    assert!(at("Qualified: tested by a signature") < at("Commercial: new key made"));
    let status = world.ask(&["status"]).unwrap();
    assert!(status.as_array().unwrap().iter().all(|journey| journey["finished"] == true), "{status}");
    let account = world.ask(&["register", "commercial"]).unwrap();
    assert_eq!(account["account"], "demo.jana");
    assert_eq!(account["bound"].as_array().unwrap().len(), 1, "the old login is gone: {account}");
    // Both old certificates are archived, and still in the store: a valid one goes only when it must.
    assert_eq!(std::fs::read_dir(world.path("home").join("archive")).unwrap().count(), 2);
    let list = world.ask(&["list"]).unwrap();
    assert_eq!(list["certificates"].as_array().unwrap().len(), 4);
    for what in ["issued", "bound"] {
        let text = if what == "issued" { "Message-ID: <issued-" } else { "Message-ID: <bound-demo.jana" };
        assert!(world.letter_with(text, Duration::from_secs(10)).is_some(), "no letter: {what}");
    }
    // Renewing again finds nothing due, and makes no key.
    let again = world.obnova(&["renew", "--all"]).unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("[nothing-due]"));
    // Nor does naming the old one: it has its successor.
    let again = world.obnova(&["renew", &old_c, "--early"]).unwrap();
    assert!(
        String::from_utf8_lossy(&again.stderr).contains("[already-renewed]"),
        "{}",
        String::from_utf8_lossy(&again.stderr)
    );
    let health = world.server(&["health"]).unwrap();
    assert!(health.contains("audit logs are whole"));
}

#[test]
fn road_on_softhsm_with_sqlite() {
    if has_softhsm() {
        let (world, _folder) = world(Store::SoftHsm, Engine::Sqlite);
        whole_road(&world);
    }
}

#[test]
fn road_on_a_file_with_postgresql() {
    let Some(postgres) = Postgres::start().unwrap() else { return skip("PostgreSQL") };
    let (world, _folder) = world(Store::File, Engine::Postgres(postgres.url()));
    whole_road(&world);
}

#[test]
fn killed_at_every_station_and_resumed_on_a_file() {
    killed_at_every_station(Store::File);
}

#[test]
fn killed_at_every_station_and_resumed_on_softhsm() {
    if has_softhsm() {
        killed_at_every_station(Store::SoftHsm);
    }
}

/// One new key for each certificate, whatever station the client dies at.
fn killed_at_every_station(store: Store) {
    let (world, _folder) = world(store, Engine::Sqlite);
    let keys_before = world.ask(&["list"]).unwrap()["certificates"].as_array().unwrap().len();
    let mut kills = 0;
    let stations = [
        "found",
        "keyed",
        "requested",
        "submitted",
        "issued",
        "accepted",
        "confirmed",
        "installed",
        "proven",
        "registered",
        "retired",
    ];
    assert!(world.kill_at(&["renew", "--all"], stations[0]).unwrap());
    for station in &stations[1..] {
        if world.kill_at(&["resume"], station).unwrap() {
            kills += 1;
        }
        // Both old certificates work at every moment.
        for kind in ["qualified", "commercial"] {
            let output = world.obnova(&["prove", kind]).unwrap();
            assert!(output.status.success(), "{station}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert!(kills >= 9, "only {kills} stations were reached");
    let output = world.obnova(&["resume"]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list = world.ask(&["list"]).unwrap();
    assert_eq!(list["certificates"].as_array().unwrap().len(), keys_before + 2, "nothing twice");
    let journeys = world.ask(&["status"]).unwrap();
    assert_eq!(journeys.as_array().unwrap().iter().filter(|j| j["items"].as_array().unwrap().len() == 2).count(), 1);
}

#[test]
fn every_kind_of_key_goes_the_road() {
    for (issuer_key, key, shown) in [("p384", "rsa3072", "RSA-3072"), ("rsa3072", "p384", "P-384")] {
        let (world, _folder) = world_by(issuer_key, 365, Store::File, Engine::Sqlite);
        let output = world.obnova(&["renew", "--all", "--key", key]).unwrap();
        assert!(output.status.success(), "{issuer_key} {key}: {}", String::from_utf8_lossy(&output.stderr));
        for kind in ["qualified", "commercial"] {
            assert_eq!(world.ask(&["show", kind]).unwrap()["key"], shown);
        }
        // The new login signs with a key of that kind, too.
        assert_eq!(world.ask(&["register", "commercial"]).unwrap()["account"], "demo.jana");
    }
}

#[test]
fn waiting_for_a_person_is_a_state() {
    on_both_engines(|engine| {
        let (world, _folder) = world(Store::File, engine);
        world.import(&Office { approval: true, ..Office::default() }).unwrap();
        let output = world.obnova(&["renew", "--all"]).unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        // Nothing moves by asking again, and no second key appears.
        assert_eq!(world.obnova(&["resume"]).unwrap().status.code(), Some(3));
        assert_eq!(world.obnova(&["renew", "--all"]).unwrap().status.code(), Some(1));
        let requests: serde_json::Value =
            serde_json::from_str(&world.server(&["request", "list", "--json"]).unwrap()).unwrap();
        let waiting: Vec<&str> = requests
            .as_array()
            .unwrap()
            .iter()
            .filter(|request| request["state"] == "waiting")
            .map(|request| request["id"].as_str().unwrap())
            .collect();
        assert_eq!(waiting.len(), 2);
        for id in waiting {
            world.server(&["request", "approve", id]).unwrap();
        }
        let output = world.obnova(&["resume"]).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}

#[test]
fn one_refused_leaves_the_other_complete() {
    on_both_engines(|engine| {
        let (world, _folder) = world(Store::File, engine);
        world.import(&Office { approval: true, ..Office::default() }).unwrap();
        assert_eq!(world.obnova(&["renew", "--all"]).unwrap().status.code(), Some(3));
        let requests: serde_json::Value =
            serde_json::from_str(&world.server(&["request", "list", "--json"]).unwrap()).unwrap();
        for request in requests.as_array().unwrap().iter().filter(|request| request["state"] == "waiting") {
            let id = request["id"].as_str().unwrap();
            if request["profile"] == "commercial" {
                world.server(&["request", "approve", id]).unwrap();
            } else {
                world.server(&["request", "refuse", id, "--why", "DEMO reason"]).unwrap();
            }
        }
        let output = world.obnova(&["resume"]).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("DEMO reason"));
        let status = world.ask(&["status"]).unwrap();
        let items =
            status.as_array().unwrap().iter().find(|journey| journey["items"].as_array().unwrap().len() == 2).unwrap();
        assert_eq!(items["items"][1]["station"], "retired", "{status}");
        assert!(world.letter_with("Message-ID: <refused-", Duration::from_secs(10)).is_some());
    });
}

#[test]
fn debt_is_told_before_a_key_is_made() {
    on_both_engines(|engine| {
        let (world, _folder) = world(Store::File, engine);
        world.import(&Office { debt_since: "2020-01-31".into(), ..Office::default() }).unwrap();
        let output = world.obnova(&["renew", "--all"]).unwrap();
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("[nobody-made-a-key] debt"), "{told}");
        assert!(!world.path("demo.p12.waiting").exists());
        world.import(&Office::default()).unwrap();
        assert!(world.obnova(&["renew", "--all"]).unwrap().status.success());
    });
}
