//! Devices among the facts of a machine: which can be read, or what was looked for and the command
//! that mends it.

use pacemark_report::Fact;
use serde_json::{Map, Value};

/// What people read of the facts `devices` (`name`, `at`, `kind`, `total_bytes` of each) and
/// `devices_absent` (`what`, `cause`, `remedy`); nothing where nobody asked for devices.
pub(crate) fn told(facts: &Map<String, Value>) -> Vec<Fact> {
    let list = |name: &str| facts.get(name).and_then(Value::as_array);
    let (Some(devices), Some(absent)) = (list("devices"), list("devices_absent")) else {
        return Vec::new();
    };
    let text = |of: &Value, name: &str| of[name].as_str().unwrap_or("").to_owned();
    let mut said = Vec::new();
    for device in devices {
        let memory = device["total_bytes"]
            .as_u64()
            .map_or(String::new(), |bytes| format!(", {}", pacemark_report::size(bytes)));
        let value = format!("{} ({}{memory})", text(device, "name"), text(device, "at"));
        let is_card = device["kind"] == "graphics";
        said.push(Fact::told(if is_card { "graphics device" } else { "energy" }, value));
    }
    for missing in absent {
        let remedy =
            missing["remedy"].as_str().map_or(String::new(), |remedy| format!("; {remedy}"));
        let value = format!("- ({}{remedy})", text(missing, "cause"));
        let is_energy = text(missing, "what").starts_with("energy");
        said.push(Fact::told(if is_energy { "energy" } else { "graphics device" }, value));
    }
    said
}
