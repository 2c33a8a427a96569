//! Ids of alerts and health records: derived from what they are about, so that a replay repeats
//! them and a repeat is recognised.

use uuid::Uuid;

/// The namespace of every id that pkgwarden derives (RFC 9562, section 5.5). Changing it changes
/// every id.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f3d_0c52_8a1e_4b77_9d40_27c5_b0f1_63ea);

/// The id of an alert: UUIDv5 of boot, session, rule, actor (executable and package) and target.
pub fn alert_id(boot_id: &str, session: &str, rule: &str, actor: &str, target: &str) -> String {
    derive(&["alert", boot_id, session, rule, actor, target])
}

/// The id of a health record: UUIDv5 of boot, code, the time it is about, and the cause.
pub fn health_id(boot_id: &str, code: &str, time: &str, cause: &str) -> String {
    derive(&["health", boot_id, code, time, cause])
}

/// Each part is preceded by its length: no text that watched code chose can imitate another split.
fn derive(parts: &[&str]) -> String {
    let mut name = Vec::new();
    for part in parts {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &name).hyphenated().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_finding_has_the_same_id_in_every_release() {
        assert_eq!(
            alert_id("boot", "session", "rule", "actor", "target"),
            "e1fda94e-5672-5854-b21e-37010e73ed93"
        );
    }

    #[test]
    fn a_target_that_imitates_the_actor_gets_an_id_of_its_own() {
        assert_ne!(
            alert_id("b", "s", "r", "ac", "tor"),
            alert_id("b", "s", "r", "a", "ctor")
        );
    }
}
