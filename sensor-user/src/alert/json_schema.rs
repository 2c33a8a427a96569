//! The JSON Schemas of what leaves pkgwarden, generated from the Rust types and committed under
//! `docs/schema`, so that others can check what they get without reading Rust.

use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value, json};

use super::report::{self, Report};
use super::schema::{self, Alert};
use crate::health::{self, Health};

/// File name below `docs/schema`, and its text.
pub fn documents() -> [(&'static str, String); 3] {
    [
        document::<Alert>("alert.json", schema::SCHEMA),
        document::<Health>("health.json", health::SCHEMA),
        document::<Report>("session.json", report::SCHEMA),
    ]
}

/// Keys that are not described stay allowed: adding one is no breaking change.
fn document<T: JsonSchema>(file: &'static str, name: &str) -> (&'static str, String) {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), Value::Null);
    schema.insert("title".to_owned(), Value::Null);
    if let Value::Object(generated) = schema_for!(T).into() {
        schema.extend(generated);
    }
    let mut schema = Value::Object(schema);
    schema["title"] = json!(name);
    schema["properties"]["schema"]["const"] = json!(name);
    (file, format!("{schema:#}\n"))
}

#[cfg(test)]
#[path = "json_schema_tests.rs"]
mod tests;
