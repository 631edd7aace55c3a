//! `cargo xtask bench`: what the house costs, as ratios to what cannot be avoided, all in one run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};

use obnova_crypto::{Primitives, SoftwareKey};
use obnova_pki::{Certificate, KeyKind, SignatureAlgorithm, Signer, Verifier};
use obnova_remote::cmp::{CmpService, Credential, Outcome as Answered, Wish, prepare};
use obnova_remote::{HttpClient, TlsTrust};
use obnova_testkit::{CardStand, Engine, MANAGEMENT_KEY, Store, World, WorldOptions, YKCS11, softhsm_module};

use crate::{Outcome, bench_window as window, root};

/// Connections that ask at the same time.
const CLIENTS: usize = 8;

/// The spy that counts PKCS#11 calls, of the Debian package opensc.
const SPY: [&str; 2] = ["/usr/lib/x86_64-linux-gnu/pkcs11-spy.so", "/usr/lib/pkcs11/pkcs11-spy.so"];

/// Measures; first once more with everything optimised, because ratios of debug builds say nothing.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    if arguments.first() != Some(&"--measured") {
        crate::run("cargo", &["build", "--quiet", "--release", "--workspace", "--bins"])?;
        let again = [&["bench", "--measured"], arguments].concat();
        return crate::run("target/release/xtask", &again);
    }
    if arguments.contains(&"--window") {
        return window::run();
    }
    if arguments.contains(&"--device") {
        device()?;
        cards()?;
        return listing();
    }
    println!(
        "Server CPU for one certificate over CMP (keep-alive, durable, audited, letters written), as a share of the cryptography"
    );
    println!("that cannot be avoided: issuer signature, two replies signed, possession and two protections checked.");
    issuing("p256", KeyKind::P256, 2_000, 70)?;
    issuing("rsa4096", KeyKind::Rsa(4096), 600, 90)?;
    renewal()?;
    device()?;
    cards()?;
    listing()?;
    window::run()
}

fn world(store: Store, issuer_key: &'static str, log: &str) -> Result<(World, tempfile::TempDir), String> {
    let folder = tempfile::Builder::new().prefix("obnova-bench").tempdir().map_err(|e| e.to_string())?;
    let options = WorldOptions {
        programs: root().join("target/release"),
        folder: folder.path().to_owned(),
        store,
        engine: Engine::Sqlite,
        issuer_key,
        speak: false,
    };
    let mut world = World::new(options).map_err(|e| e.to_string())?;
    world.log = log.to_owned();
    // Letters wait in the outbox: carrying them is work for a mail server, too.
    world.has_mail = false;
    // One certificate is followed again and again.
    world.authority_extra = "successors = 1000000".to_owned();
    world.write_configuration().map_err(|e| e.to_string())?;
    world.furnish().map_err(|e| e.to_string())?;
    Ok((world, folder))
}

/// Microseconds of work for one run, the best of several rounds: the machine is shared.
fn cost(work: impl Fn()) -> f64 {
    let mut best = f64::MAX;
    let mut count = 1;
    for _ in 0..12 {
        let begun = Instant::now();
        (0..count).for_each(|_| work());
        let spent = begun.elapsed().as_secs_f64();
        best = best.min(spent / f64::from(count));
        count = ((0.05 / best) as i32).clamp(1, 10_000);
    }
    best * 1e6
}

/// CPU that a process has used, in microseconds; the kernel counts it in hundredths of a second.
fn cpu(process: u32) -> Result<f64, String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).map_err(|error| error.to_string())?;
    let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
    let ticks: Vec<f64> = after.split(' ').skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() * 10_000.0)
}

fn issuing(name: &'static str, kind: KeyKind, count: usize, aim: u32) -> Outcome {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let (issuer, person) = (
        SoftwareKey::generate(kind).map_err(|e| text(&e))?,
        SoftwareKey::generate(KeyKind::P256).map_err(|e| text(&e))?,
    );
    let message = vec![7; 700];
    let signature = person.sign(&message).map_err(|e| text(&e))?;
    let issue = cost(|| drop(issuer.sign(&message)));
    let reply = cost(|| drop(person.sign(&message)));
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let check = cost(|| assert!(Primitives.verify(person.public_key(), algorithm, &message, &signature).is_ok()));
    let floor = issue + 2.0 * reply + 3.0 * check;

    let (world, _folder) = world(Store::File, name, "warn")?;
    let (certificate, key) = world.login_key().map_err(|e| text(&e))?;
    let read = |name: &str| -> Result<Certificate, String> {
        let bytes = std::fs::read(world.house_certificate(name)).map_err(|e| text(&e))?;
        Certificate::from_any_form(&bytes).map_err(|e| text(&e))
    };
    let (anchors, service) = ([read("root")?], read("service")?);
    let trust = TlsTrust::Roots(vec![service.der().to_vec()]);
    let address = format!("https://{}/.well-known/cmp", world.authority_address());
    let ask = |http: &HttpClient| -> Result<(), String> {
        let service =
            CmpService { http, address: &address, anchors: &anchors, predecessor: Some(&certificate), signer: None };
        let credential = Credential::Holder(&key, &certificate);
        let wish = Wish {
            subject: certificate.subject(),
            predecessor: Some(&certificate),
            profile: None,
            implicit_confirm: false,
        };
        let new = SoftwareKey::generate(KeyKind::P256).map_err(|e| text(&e))?;
        let now = SystemTime::now();
        let prepared = prepare(&wish, &new, &credential, now).map_err(|e| text(&e))?;
        let outcome = service.submit(&prepared.message, &credential, now).map_err(|e| text(&e))?;
        let Answered::Issued { certificate, id, nonce, .. } = outcome else { return Err(format!("{outcome:?}")) };
        let certificate = Certificate::from_der(&certificate).map_err(|e| text(&e))?;
        let answered = (id, nonce.as_slice());
        let receipt = &prepared.transaction_id;
        let named = (obnova_pki::cmp::certificate_hash(&certificate, &Primitives), certificate.issuer().clone());
        let confirmation = CmpService::prepare_confirmation(named, answered, receipt, None, &credential, now);
        service.confirm(&confirmation.map_err(|e| text(&e))?, &credential, now).map_err(|e| text(&e))
    };
    let clients =
        (0..CLIENTS).map(|_| HttpClient::new(&trust, None)).collect::<Result<Vec<_>, _>>().map_err(|e| text(&e))?;
    // Connections are open, and every statement is prepared, before anything is counted.
    for http in &clients {
        ask(http)?;
    }
    let process = world.server_id().ok_or("the server is gone")?;
    let (spent, seconds) = under_load(process, &clients, count, &ask)?;
    // What the same server takes for two exchanges that ask for nothing.
    let nothing = format!("https://{}/health", world.authority_address());
    let get = |http: &HttpClient| {
        http.get(&nothing).and_then(obnova_remote::Response::success).map(drop).map_err(|e| text(&e))
    };
    let (bare, _) = under_load(process, &clients, 4 * count.min(1_000), &get)?;
    println!(
        "  {kind:<9} {:>3.0} %  (aim {aim} %)   {spent:.0} µs, of which {floor:.0} µs cannot be avoided and {:.0} µs are two empty HTTPS exchanges; \
         {:.0} a second beside {CLIENTS} clients on this machine",
        100.0 * floor / spent,
        2.0 * bare,
        count as f64 / seconds,
    );
    Ok(())
}

/// Server CPU of one `work` in microseconds when all clients do it at the same time, and how long all took.
fn under_load(
    process: u32,
    clients: &[HttpClient],
    count: usize,
    work: &(impl Fn(&HttpClient) -> Result<(), String> + Sync),
) -> Result<(f64, f64), String> {
    let (before, begun, next) = (cpu(process)?, Instant::now(), AtomicUsize::new(0));
    let done: Result<(), String> = std::thread::scope(|scope| {
        let workers: Vec<_> = clients
            .iter()
            .map(|http| {
                scope.spawn(|| {
                    while next.fetch_add(1, Ordering::Relaxed) < count {
                        work(http)?;
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a client panicked".to_owned())?)
    });
    done?;
    Ok(((cpu(process)? - before) / count as f64, begun.elapsed().as_secs_f64()))
}

/// A plan of two certificates on SoftHSM, counted from outside.
fn renewal() -> Outcome {
    let (Some(module), Some(spy)) = (softhsm_module(), SPY.iter().find(|path| Path::new(path).exists())) else {
        println!("A renewal on SoftHSM: not measured, softhsm2 or opensc is not installed");
        return Ok(());
    };
    let (world, _folder) = world(Store::SoftHsm, "p256", "warn,obnova_serve=debug")?;
    let failed = |error: std::io::Error| error.to_string();
    let settings = world.path("home").join("obnova.toml");
    let plain = std::fs::read_to_string(&settings).map_err(failed)?;
    std::fs::write(&settings, plain.replace(&module.display().to_string(), spy)).map_err(failed)?;
    let (log, calls) = (world.path("server.log"), world.path("calls"));
    let told = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let before = told(&log).len();
    let output = world
        .client_command(&["renew", "--all"])
        .env("PKCS11SPY", &module)
        .env("PKCS11SPY_OUTPUT", &calls)
        .output()
        .map_err(failed)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let log = told(&log);
    let requests: Vec<&str> = log[before..].lines().filter(|line| line.contains(" request ")).collect();
    let calls = told(&calls);
    let calls = names_of(&calls);
    let logins = calls.iter().filter(|call| call.starts_with("Login")).count();
    println!("A renewal of two certificates on SoftHSM, from pre-flight to retirement:");
    println!("  PIN entries    {logins:>4}  (aim 1)");
    println!("  HTTP requests  {:>4}  (aim 12, without polls)", requests.len());
    println!("  PKCS#11 calls  {:>4}", calls.len());
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for call in &calls {
        match kinds.iter_mut().find(|(name, _)| name == call) {
            Some((_, count)) => *count += 1,
            None => kinds.push((call, 1)),
        }
    }
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let most: Vec<String> = kinds.iter().take(8).map(|(name, count)| format!("{count} {name}")).collect();
    println!("                       {}", most.join(", "));
    for line in requests {
        println!("    {}", line.split_once(" request ").map_or(line, |(_, what)| what));
    }
    Ok(())
}

/// Names of the calls in a record of pkcs11-spy.
fn names_of(record: &str) -> Vec<&str> {
    record
        .lines()
        .filter_map(|line| line.split_once(": C_"))
        .filter(|(number, _)| number.bytes().all(|digit| digit.is_ascii_digit()))
        .map(|(_, call)| call)
        .collect()
}

/// Calls to the device for the same work, by us and by others, counted by pkcs11-spy.
fn device() -> Outcome {
    let (Some(module), Some(spy)) = (softhsm_module(), SPY.iter().find(|path| Path::new(path).exists())) else {
        println!("Calls to a device: not measured, softhsm2 or opensc is not installed");
        return Ok(());
    };
    let (world, _folder) = world(Store::SoftHsm, "p256", "warn")?;
    let failed = |error: std::io::Error| error.to_string();
    let settings = world.path("home").join("obnova.toml");
    let plain = std::fs::read_to_string(&settings).map_err(failed)?;
    std::fs::write(&settings, plain.replace(&module.display().to_string(), spy)).map_err(failed)?;
    let count = |command: &mut Command| -> Result<Option<usize>, String> {
        let record = world.path("device-calls");
        let _ = std::fs::remove_file(&record);
        command.envs(world.environment()).env("PKCS11SPY", &module).env("PKCS11SPY_OUTPUT", &record);
        match command.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => return Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(_) => return Ok(None),
        }
        Ok(Some(names_of(&std::fs::read_to_string(&record).unwrap_or_default()).len()))
    };
    let shown = |count: Option<usize>| count.map_or_else(|| "not installed".to_owned(), |count| format!("{count:>4}"));
    println!("Calls to a device with two certificates (aim: the fewest):");
    let ours = count(&mut world.client_command(&["list"]))?;
    let tool = count(Command::new("pkcs11-tool").args(["--module", spy, "-O", "--type", "cert"]))?;
    let gnutls = count(Command::new("p11tool").args(["--batch", "--provider", spy, "--list-all-certs"]))?;
    println!("  inventory  obnova list {}, pkcs11-tool -O {}, p11tool {}", shown(ours), shown(tool), shown(gnutls));
    let renewal = count(&mut world.client_command(&["renew", "--all"]))?;
    let survey = count(&mut world.client_command(&["clean", "--dry-run"]))?;
    let clean = count(&mut world.client_command(&["clean", "--yes", "--lose-old-mail"]))?;
    println!("  renewal    {}", shown(renewal));
    println!("  clean-up   {} to decide, {} to decide and remove two pairs", shown(survey), shown(clean));
    let program = world.client_command(&[]).get_program().to_owned();
    if let Ok(size) = std::fs::metadata(&program) {
        println!("The program: {:.1} MB (aim 15)", size.len() as f64 / 1e6);
    }
    Ok(())
}

/// Commands to a PIV card for the same work, by us and by others, counted by the log of pcscd.
fn cards() -> Outcome {
    let failed = |error: std::io::Error| error.to_string();
    crate::stages::vcard("build", &["--quiet"])?;
    let Some(stand) = CardStand::start(&root().join("target/debug")).map_err(failed)? else {
        println!("Commands to a card: not measured, pcscd, vsmartcard-vpcd, ykcs11 or opensc is not installed");
        return Ok(());
    };
    let _card = stand.insert(0, "piv", &[]).map_err(failed)?;
    // The officer makes two pairs, and OpenSSL the certificates.
    let script = format!(
        r#"set -e; cd {folder}; printf 123456 > pin; printf text > data
P="pkcs11-tool --module {YKCS11}"; O="$P --login --login-type so --so-pin {MANAGEMENT_KEY}"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj '/CN=Bench CA' -days 3650
openssl req -new -key ca.key -subj '/CN=Bench holder' -out any.csr
for pair in 01/rsa:2048 02/EC:prime256v1; do id=${{pair%%/*}}
$O --keypairgen --key-type ${{pair#*/}} --id $id; $P --read-object --type pubkey --id $id -o pub.der
openssl pkey -pubin -inform DER -in pub.der -out pub.pem
openssl x509 -req -in any.csr -force_pubkey pub.pem -CA ca.pem -CAkey ca.key -days 300 -set_serial $id -outform DER -out c.der
$O --write-object c.der --type cert --id $id; done
mkdir home; printf 'discover = false\n[[store]]\nmodule = "{YKCS11}"\n' > home/obnova.toml"#,
        folder = stand.path("").display()
    );
    let made = Command::new("sh").args(["-c", &script]).output().map_err(failed)?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    let path = |name: &str| stand.path(name).display().to_string();
    let count = |program: &str, arguments: &[&str]| -> Result<String, String> {
        let before = stand.commands();
        let mut command = Command::new(program);
        match command.args(arguments).current_dir(stand.path("")).stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => Ok(format!("{:>4}", stand.commands() - before)),
            Ok(output) => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))),
            Err(_) => Ok("not installed".to_owned()),
        }
    };
    let obnova = root().join("target/release/obnova").display().to_string();
    println!("Commands (APDUs) to a PIV card with two certificates, by the module of its maker (aim: the fewest):");
    println!(
        "  inventory  obnova list {}, pkcs11-tool -O {}, p11tool {}, yubico-piv-tool status {}",
        count(&obnova, &["--home", &path("home"), "list"])?,
        count("pkcs11-tool", &["--module", YKCS11, "-O", "--type", "cert"])?,
        count("p11tool", &["--batch", "--provider", YKCS11, "--list-all-certs"])?,
        count("yubico-piv-tool", &["--reader", "Yubico", "--action", "status"])?,
    );
    let sign = ["--module", YKCS11, "--login", "--pin", "123456", "--sign", "--id", "01"];
    println!(
        "  signature  obnova prove {}, pkcs11-tool --sign {}",
        count(&obnova, &["--home", &path("home"), "--pin-file", &path("pin"), "prove", "1"])?,
        count("pkcs11-tool", &[&sign[..], &["-m", "SHA256-RSA-PKCS", "-i", "data", "-o", "signature"]].concat())?,
    );
    Ok(())
}

/// Start and memory of `obnova list` beside `pkcs11-tool -O`, on the same module.
fn listing() -> Outcome {
    let Some(module) = softhsm_module() else {
        println!("obnova list: not measured, softhsm2 is not installed");
        return Ok(());
    };
    let (world, _folder) = world(Store::SoftHsm, "p256", "warn")?;
    let ours = || world.client_command(&["list"]);
    let theirs = || {
        let mut command = Command::new("pkcs11-tool");
        command.arg("--module").arg(&module).arg("-O");
        command.envs(world.environment());
        command
    };
    let mut times = [Vec::new(), Vec::new()];
    // In turns, so that what else the machine does meets both.
    for _ in 0..30 {
        for (times, mut command) in times.iter_mut().zip([ours(), theirs()]) {
            let begun = Instant::now();
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(|e| e.to_string())?;
            if !status.success() {
                return Err(format!("{:?} failed", command.get_program()));
            }
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let [ours_time, theirs_time] = &mut times;
    let (a, b) = (median(ours_time), median(theirs_time));
    println!("obnova list beside pkcs11-tool -O on the same token:");
    println!("  time    {:.2}  (aim 1.5)   {a:.1} ms, {b:.1} ms", a / b);
    match (peak(ours())?, peak(theirs())?) {
        (Some(a), Some(b)) => {
            println!("  memory  {:.2}  (aim 1.5)   {:.1} MB (aim 20), {:.1} MB", a / b, a / 1024.0, b / 1024.0);
        }
        _ => println!("  memory  not measured, the Debian package time is not installed"),
    }
    Ok(())
}

/// Peak of resident memory in KiB, by GNU time.
fn peak(command: Command) -> Result<Option<f64>, String> {
    if !Path::new("/usr/bin/time").exists() {
        return Ok(None);
    }
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "peak %M"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    let output = timed.output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stderr);
    Ok(told.lines().find_map(|line| line.strip_prefix("peak ")?.trim().parse().ok()))
}
