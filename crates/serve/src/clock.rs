//! The server's clock; a demonstration may set it back.

use std::time::{Duration, SystemTime};

use obnova_lifecycle::port::Clock;

/// The system's clock, minus an offset that only demonstrations use.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServerClock {
    /// How far behind the system's clock it runs.
    pub behind: Duration,
}

impl Clock for ServerClock {
    fn now(&self) -> SystemTime {
        SystemTime::now() - self.behind
    }
}

/// Whole seconds since 1970, as databases and documents keep time.
pub fn seconds(at: SystemTime) -> i64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Back from seconds since 1970.
pub fn from_seconds(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
