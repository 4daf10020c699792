//! Jobs from being asked for to their results, and what cannot be asked for.

use super::served::{Folder, short};
use serde_json::{Value, json};
use std::io::Read;

#[test]
fn a_job_from_being_asked_for_to_its_results() {
    let folder = Folder::new("jobs");
    let served = folder.served();
    let id = served.submit(&short());
    // Its progress, from any moment until its end.
    let mut told = String::new();
    served
        .open("GET", &format!("/api/benchmark/{id}/events"), "", "")
        .read_to_string(&mut told)
        .unwrap();
    assert!(told.contains("text/event-stream") && told.contains("event: end"), "{told}");
    let job = served.until_status(&id, "completed");
    assert_eq!((&job["progress"]["done"], &job["progress"]["of"]), (&3.into(), &3.into()), "{job}");
    assert_eq!(job["request"]["name"], "first <b>try</b>");
    assert!(job["finished_at"].as_u64() >= job["started_at"].as_u64());

    let (_, document) = served.get("/openapi.json");
    let formats = &document["components"]["schemas"]["ResultFormat"]["enum"];
    let formats: Vec<&str> = formats.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for format in ["json", "jsonl", "csv", "md", "html", "svg", "png", "report"] {
        assert!(formats.contains(&format), "{formats:?}");
    }
    for format in formats {
        let path = format!("/api/benchmark/{id}/results?format={format}");
        let (status, head, body) = served.call("GET", &path, "", "");
        assert_eq!(status, 200, "{format}: {}", String::from_utf8_lossy(&body));
        assert!(!body.is_empty() && head.contains("content-type: "), "{format}: {head}");
        assert!(head.contains("content-security-policy: sandbox"), "{format}: {head}");
    }
    let (_, rows) = served.get(&format!("/api/benchmark/{id}/results"));
    let parts: Vec<&str> =
        rows.as_array().unwrap().iter().filter_map(|r| r["part"].as_str()).collect();
    assert!(parts.contains(&"latency") && parts.contains(&"memory"), "{rows}");
    let (_, own) = served.get(&format!("/api/benchmark/{id}/results?format=report"));
    assert_eq!(own["model_name"], "tiny");
    let (_, list) = served.get("/api/benchmark?status=completed");
    assert_eq!(
        (list["data"].as_array().unwrap().len(), &list["data"][0]["id"]),
        (1, &id.as_str().into())
    );
    assert_eq!(served.json("DELETE", &format!("/api/benchmark/{id}"), "").0, 409, "it is over");
}

/// The call of the report that this came from, as it is written there.
#[test]
fn the_call_that_others_make() {
    let folder = Folder::new("jobs-seed");
    let served = folder.served();
    let body = r#"{"model_name": "gpt2", "test_types": ["latency", "memory"]}"#;
    let (status, job) = served.json("POST", "/api/benchmark", body);
    assert_eq!(status, 202, "{job}");
    let id = job["id"].as_str().unwrap();
    served.until(id, "begun", |job| job["status"] != "queued");
    let path = format!("/api/benchmark/{id}/cancel");
    let elsewhere = "origin: http://evil.example\r\n";
    assert_eq!(served.call("POST", &path, elsewhere, "").0, 415, "a page of elsewhere ends none");
    assert_eq!(served.call("POST", &path, "", "").0, 200);
    served.until_status(id, "cancelled");
}

#[test]
fn bodies_and_names_that_cannot_be_are_refused_by_name() {
    let folder = Folder::new("jobs-wrong");
    let served = folder.served();
    for (body, status, field, why) in [
        (json!({"model_name": "no-such-model"}), 404, "model_name", "there is no model"),
        (json!({"model_name": "../../etc/passwd"}), 404, "model_name", "there is no model"),
        (json!({"model_name": "/etc/passwd"}), 404, "model_name", "there is no model"),
        (json!({"model_name": ""}), 400, "model_name", "1 to 200 bytes"),
        (json!({"model_name": "x".repeat(300)}), 400, "model_name", "found 300 bytes"),
        (json!({"model_name": 3}), 400, "model_name", "expected a string"),
        (json!({"test_types": []}), 400, "model_name", "missing field"),
        (json!({"model_name": "tiny", "test_types": []}), 400, "test_types", "some of latency"),
        (json!({"model_name": "tiny", "test_types": ["speed"]}), 400, "test_types[0]", "speed"),
        (
            json!({"model_name": "tiny", "test_types": ["memory", "memory"]}),
            400,
            "test_types",
            "each once",
        ),
        (json!({"model_name": "tiny", "test_type": ["memory"]}), 400, "test_type", "unknown field"),
        (
            json!({"model_name": "tiny", "settings": {"report.output_dir": "/tmp"}}),
            400,
            "settings",
            "expected settings of",
        ),
        (
            json!({"model_name": "tiny", "settings": {"latency.test_rums": 1}}),
            400,
            "settings",
            "test_rums",
        ),
        (
            json!({"model_name": "tiny", "settings": {"latency.test_runs": 0, "memory.test_runs": "x"}}),
            400,
            "settings",
            "latency.test_runs: expected a whole number from 1 on, found 0; memory.test_runs: ",
        ),
        (
            json!({"model_name": "tiny", "settings": {"throughput.batch_sizes": [2_000_000_000]}}),
            400,
            "settings",
            "throughput.batch_sizes: expected 1024 at most",
        ),
        (json!({"model_name": "gpt2:Q9_9"}), 404, "model_name", "Q9_9"),
    ] {
        let (found, error) = served.json("POST", "/api/benchmark", &body.to_string());
        let told = error["error"]["message"].as_str().unwrap();
        assert_eq!(found, status, "{body}: {told}");
        assert!(told.contains(why), "{body}: {told}");
        assert_eq!(error["error"]["param"], field, "{body}: {error}");
    }
    let large = format!("{{\"model_name\": \"{}\"}}", "x".repeat(10 << 20));
    assert_eq!(served.json("POST", "/api/benchmark", &large).0, 413);
    assert_eq!(served.json("POST", "/api/benchmark", "{").0, 400);
    for list in ["[]", r#"["tiny", ["memory"], {}, null]"#] {
        let (status, error) = served.json("POST", "/api/benchmark", list);
        let why = error["error"]["message"].as_str().unwrap();
        assert!(status == 400 && why.contains("expected an object"), "{list}: {why}");
    }
    for path in ["nothing", "..%2f..%2fetc", "%00", "nothing/events", "nothing/results"] {
        assert_eq!(served.get(&format!("/api/benchmark/{path}")).0, 404, "{path}");
    }
    for path in ["/api/benchmark/%ff", "/api/benchmark/%ff/results", "/v1/models/%ff"] {
        assert_eq!(served.get(path).0, 400, "{path}: an error like others");
    }
    assert_eq!(served.get("/api/benchmark?status=done").0, 400);
    assert_eq!(served.get("/api/benchmark?limit=1001").0, 400);
    assert_eq!(served.get("/api/benchmark?limit=-1").0, 400);
    assert_eq!(served.get("/api/benchmark").1["data"], json!([]), "nothing was taken");
    let id = served.submit(&short());
    let (status, error) = served.get(&format!("/api/benchmark/{id}/results?format=pdf"));
    assert_eq!((status, &error["error"]["param"]), (400, &"format".into()));
}
