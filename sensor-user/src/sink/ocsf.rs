//! An alert as a Detection Finding (class 2004) of the Open Cybersecurity Schema Framework, 1.8.0.
//!
//! docs/alerts.md has the table of keys. What the schema has no place for is below `unmapped`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::alert::row::command_line;
use crate::alert::schema::{
    Alert, Container, Destination, File, Network, Process, ProcessShort, User,
};
use crate::detect::{Confidence, Level};

/// Of the schema.
const VERSION: &str = "1.8.0";

/// The finding. What is not known is absent.
pub fn ocsf(alert: &Alert) -> Value {
    let mut finding = json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200_401,
        "type_name": "Detection Finding: Create",
        "time": milliseconds(&alert.time),
        "severity_id": severity(alert.level),
        "confidence_id": confidence(alert.confidence),
        "status_id": 1,
        "is_alert": true,
        "message": alert.summary,
        "metadata": {
            "version": VERSION,
            "uid": alert.id,
            "profiles": ["host", "container"],
            "original_time": alert.time,
            "product": {
                "name": "pkgwarden",
                "vendor_name": "pkgwarden",
                "version": alert.sensor.version,
            },
        },
        "finding_info": {
            "uid": alert.id,
            "title": alert.title,
            "desc": alert.summary,
            "created_time": milliseconds(&alert.time),
            "types": [alert.detection_branch],
            "analytic": {
                "type_id": 1,
                "type": "Rule",
                "uid": alert.rule.id,
                "name": alert.rule.title,
            },
            "attacks": attacks(&alert.rule.tags),
            "related_events": alert.links.iter().map(|link| json!({
                "uid": link.alert_id,
                "title": link.summary,
                "created_time": milliseconds(&link.time),
            })).collect::<Vec<_>>(),
        },
        "device": {
            "type_id": 0,
            "hostname": alert.host.name,
            "uid": alert.host.id,
            "boot_uid": alert.host.boot_id,
        },
        "evidences": [{
            "process": process(&alert.process, &alert.ancestry),
            "file": alert.file.as_ref().map(file),
            "dst_endpoint": alert.destination.as_ref().and_then(endpoint),
            "connection_info": alert.network.as_ref().map(connection),
            "container": alert.container.as_ref().map(container),
            "data": alert.evidence,
        }],
        "remediation": (!alert.response.is_empty()).then(|| json!({
            "desc": alert.response.join("\n"),
            "references": alert.rule.references,
        })),
        "unmapped": {
            "package": alert.package,
            "install": alert.install,
            "scope": alert.scope,
            "ci": alert.ci,
            "destination": alert.destination,
            "completeness": alert.completeness,
        },
    });
    prune(&mut finding);
    finding
}

fn milliseconds(time: &str) -> Option<i64> {
    let time: Timestamp = time.parse().ok()?;
    Some(time.as_millisecond())
}

fn severity(level: Level) -> u8 {
    match level {
        Level::Informational => 1,
        Level::Low => 2,
        Level::Medium => 3,
        Level::High => 4,
        Level::Critical => 5,
    }
}

fn confidence(confidence: Confidence) -> u8 {
    match confidence {
        Confidence::Low => 1,
        Confidence::Medium => 2,
        Confidence::High => 3,
    }
}

/// Sigma's `attack.t1204.005`.
fn attacks(tags: &[String]) -> Vec<Value> {
    let id = |tag: &String| {
        let id = tag.strip_prefix("attack.t")?;
        id.starts_with(|first: char| first.is_ascii_digit())
            .then(|| format!("T{id}"))
    };
    let attack = |id: String| match id.split_once('.') {
        Some((technique, _)) => json!({
            "technique": {"uid": technique},
            "sub_technique": {"uid": id},
        }),
        None => json!({"technique": {"uid": id}}),
    };
    tags.iter().filter_map(id).map(attack).collect()
}

fn process(process: &Process, ancestry: &[ProcessShort]) -> Value {
    json!({
        "pid": process.pid,
        "uid": process.entity_id,
        "name": base(&process.executable),
        "cmd_line": command_line(&process.args),
        "created_time": milliseconds(&process.start),
        "working_directory": process.working_directory,
        "user": user(&process.user),
        "file": {
            "type_id": 1,
            "name": base(&process.executable),
            "path": process.executable,
            "is_deleted": process.deleted.then_some(true),
            "hashes": process.hash.as_ref().map(|hash| sha256(&hash.sha256)),
        },
        "parent_process": ancestry.first().map(ancestor),
        "ancestry": ancestry.iter().map(ancestor).collect::<Vec<_>>(),
    })
}

fn ancestor(process: &ProcessShort) -> Value {
    json!({
        "pid": process.pid,
        "uid": process.entity_id,
        "name": base(&process.executable),
        "path": process.executable,
        "cmd_line": command_line(&process.args),
    })
}

fn user(user: &User) -> Value {
    json!({"uid": user.id.to_string(), "name": user.name})
}

fn file(file: &File) -> Value {
    json!({
        "type_id": 1,
        "name": base(&file.path),
        "path": file.path,
        "size": file.size,
        "hashes": file.hash.as_ref().map(|hash| sha256(&hash.sha256)),
    })
}

fn endpoint(destination: &Destination) -> Option<Value> {
    let ip = destination.ip.as_ref()?;
    Some(json!({
        "ip": ip,
        "port": destination.port,
        "hostname": destination.domain,
    }))
}

fn connection(network: &Network) -> Value {
    // Outbound: the watched process began it.
    json!({"direction_id": 2, "protocol_name": network.transport})
}

fn container(container: &Container) -> Value {
    json!({
        "uid": container.id,
        "name": container.name,
        "runtime": container.runtime,
        "image": container.image.as_ref().map(|image| json!({"uid": image, "name": image})),
    })
}

fn sha256(hex: &str) -> Value {
    json!([{"algorithm_id": 3, "algorithm": "SHA-256", "value": hex}])
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Takes out what is null or empty.
fn prune(value: &mut Value) {
    let is_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(keys) => keys.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Object(keys) => {
            keys.values_mut().for_each(prune);
            let kept = std::mem::take(keys).into_iter();
            *keys = kept
                .filter(|(_, value)| !is_nothing(value))
                .collect::<Map<_, _>>();
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "ocsf_tests.rs"]
mod tests;
