//! What the window costs: the time to its first picture, its memory, and the CPU it takes when nobody does anything.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::screen::{Screen, Started};
use crate::{Outcome, root};

/// How long nobody does anything.
const IDLE: Duration = Duration::from_secs(10);

/// What is on the display now, as pixels.
fn pixels(screen: &Screen) -> Vec<u8> {
    let shot = Command::new("xwd").args(["-silent", "-root", "-display", &screen.name]).output();
    shot.map(|shot| shot.stdout).unwrap_or_default()
}

/// A value of `/proc/PID/status`, in kilobytes.
fn memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Hundredths of a second of CPU that a process has used.
fn cpu(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// How long nothing must change before a picture is taken to be whole.
const CALM: Duration = Duration::from_millis(700);

/// Seconds from the start to the first picture and to the last change of it, with the running window.
fn first_picture(screen: &Screen) -> Result<(f64, f64, Started), String> {
    let failed = |error: std::io::Error| error.to_string();
    let blank = pixels(screen);
    let home = root().join("target/bench-window");
    std::fs::create_dir_all(&home).map_err(failed)?;
    std::fs::write(home.join("obnova.toml"), "discover = false\n").map_err(failed)?;
    let begun = Instant::now();
    let window = Command::new(root().join("target/release/obnova-desktop"))
        .env("DISPLAY", &screen.name)
        .env("OBNOVA_HOME", home)
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let window = Started(window);
    let (mut seen, mut first, mut last) = (blank, None, begun);
    loop {
        let now = pixels(screen);
        if now != seen {
            last = Instant::now();
            first.get_or_insert(begun.elapsed().as_secs_f64());
            seen = now;
        }
        match first {
            Some(first) if last.elapsed() > CALM => {
                return Ok((first, last.duration_since(begun).as_secs_f64(), window));
            }
            None if begun.elapsed() > Duration::from_secs(20) => {
                return Err("the window drew nothing within 20 s".to_owned());
            }
            _ => {}
        }
    }
}

/// Measures and prints.
pub(crate) fn run() -> Outcome {
    if !["/usr/bin/Xvfb", "/usr/bin/xwd"].iter().all(|path| std::path::Path::new(path).exists()) {
        println!("SKIPPED: the bench of the window needs xvfb and x11-apps");
        return Ok(());
    }
    let screen = Screen::start("1024x768x24")?;
    let (mut times, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let (first, last, window) = first_picture(&screen)?;
        times.push(first);
        whole.push(last);
        drop(window);
        std::thread::sleep(Duration::from_millis(500));
    }
    times.sort_by(f64::total_cmp);
    whole.sort_by(f64::total_cmp);
    let (.., window) = first_picture(&screen)?;
    std::thread::sleep(Duration::from_secs(3));
    let process = window.0.id();
    let before = cpu(process).ok_or("the window ended")?;
    std::thread::sleep(IDLE);
    let used = cpu(process).ok_or("the window ended")?.saturating_sub(before);
    let megabytes = memory(process).ok_or("the window ended")? as f64 / 1e3;
    println!("window: first picture after {:.2} s, the median of {} (aim 0.5)", times[times.len() / 2], times.len());
    println!("window: what there is stands in it after {:.2} s", whole[whole.len() / 2]);
    println!("window: {megabytes:.0} MB at most (aim 60)");
    println!("window: {:.1} % of a processor when idle (aim 0)", used as f64 / IDLE.as_secs_f64());
    Ok(())
}
