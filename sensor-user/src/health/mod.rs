//! `pkgwarden.health/1`: the sensor about itself. Sent in the same streams as alerts, so that a
//! quiet stream means a quiet host and not a blind sensor.

mod code;
pub mod metrics;
#[cfg(test)]
mod provoked;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use code::Code;

use crate::alert::id::health_id;
use crate::alert::schema::Host;
use crate::detect::Level;

/// The value of `schema` in every record.
pub const SCHEMA: &str = "pkgwarden.health/1";

/// One thing that is wrong with the sensor, as one JSON object on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Always `pkgwarden.health/1`.
    pub schema: String,
    /// UUIDv5 of boot, code, time and cause, so that replay repeats it.
    pub id: String,
    /// RFC 3339, nanoseconds, UTC.
    pub time: String,
    /// The machine.
    pub host: Host,
    /// What is wrong; stable.
    pub code: Code,
    /// One sentence: how it came about this time.
    pub cause: String,
    /// From when on, where it is known and not the time of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How bad.
    pub level: Level,
}

impl Health {
    /// A record with the code's own level. `since`: from when on it was so, where that is known.
    pub fn new(host: Host, time: String, code: Code, cause: String, since: Option<String>) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            id: health_id(&host.boot_id, code.name(), &time, &cause),
            time,
            host,
            code,
            cause,
            since,
            level: code.level(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let health = sample::health();
        let line = serde_json::to_string(&health).unwrap();
        assert!(line.contains(r#""code":"events_lost""#), "{line}");
        assert_eq!(serde_json::from_str::<Health>(&line).unwrap(), health);
    }

    #[test]
    fn two_losses_are_two_records() {
        let first = sample::health();
        let later = Health::new(
            first.host.clone(),
            "2026-01-02T03:05:00.000000000Z".to_owned(),
            first.code,
            first.cause.clone(),
            None,
        );
        assert_ne!(first.id, later.id);
    }
}
