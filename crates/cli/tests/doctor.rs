//! `pacemark doctor` through the real binary.

mod binary;

use std::process::Output;

fn doctor(arguments: &[&str]) -> Output {
    binary::pacemark().arg("doctor").args(arguments).output().expect("the binary runs")
}

#[test]
fn json_has_a_roof_for_each_number_of_threads() {
    let output = doctor(&["-t", "1,2", "--seconds", "0.01", "-o", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let roofs = found["roofs"].as_array().unwrap();
    assert_eq!(
        roofs.iter().map(|roof| roof["threads"].as_u64()).collect::<Vec<_>>(),
        [Some(1), Some(2)]
    );
    for figure in ["read_gb_per_s", "int8_gops", "f32_gflops"] {
        assert!(
            roofs.iter().all(|roof| roof[figure].as_f64().is_some_and(|x| x > 0.0)),
            "{figure}: {found}"
        );
    }
    assert!(found["isa_available"].as_array().unwrap().contains(&found["isa"]));
}

#[test]
fn text_names_what_was_measured() {
    let output = doctor(&["-t", "1", "--seconds", "0.01"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in [
        "processor",
        "caches",
        "huge pages",
        "| threads |  read GB/s |  int8 GOPS | bf16 GFLOPS | f32 GFLOPS |",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn devices_are_listed_or_what_was_looked_for_is_said() {
    let json = doctor(&["-t", "1", "--seconds", "0.01", "-o", "json"]);
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let (devices, absent) =
        (found["devices"].as_array().unwrap(), found["devices_absent"].as_array().unwrap());
    // Of cards and of energy: one that is there, or the cause.
    assert!(devices.len() + absent.len() >= 2, "{found}");
    let text = doctor(&["-t", "1", "--seconds", "0.01"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for missing in absent {
        let cause = missing["cause"].as_str().unwrap();
        assert!(text.contains(&format!("- ({cause}")), "{cause}: {text}");
    }
    for device in devices {
        assert!(text.contains(device["name"].as_str().unwrap()), "{device}: {text}");
    }
}

#[test]
fn absurd_values_are_usage_errors() {
    for arguments in [["-t", "0"], ["-t", "99999"], ["--seconds", "0"], ["--seconds", "nan"]] {
        let output = doctor(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
