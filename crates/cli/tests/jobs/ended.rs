//! Jobs of a server that was killed, asked to end, or has no folder to keep them in.

use super::served::{Folder, Served, long, short};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn what_was_measured_outlives_a_server_that_was_killed() {
    let folder = Folder::new("jobs-killed");
    let mut served = folder.served();
    let (id, waiting) = (served.submit(&long()), served.submit(&short()));
    served.until(&id, "a row", |job| job["progress"]["done"].as_u64() > Some(0));
    let second = folder.served();
    assert!(second.said.contains("another server's"), "{}", second.said);
    drop(second);
    served.child.kill().unwrap();
    served.child.wait().unwrap();

    let served = folder.served();
    let (_, job) = served.get(&format!("/api/benchmark/{id}"));
    assert_eq!(job["status"], "failed", "{job}");
    assert!(job["error"].as_str().unwrap().contains("what was measured is kept"), "{job}");
    assert!(job["progress"]["done"].as_u64() > Some(0), "{job}");
    let (status, rows) = served.get(&format!("/api/benchmark/{id}/results"));
    assert!(status == 200 && !rows.as_array().unwrap().is_empty(), "{rows}");
    served.until_status(&waiting, "completed");
    // One that is told to end, ends soon, whoever follows a job.
    let (running, waiting) = (served.submit(&long()), served.submit(&short()));
    served.until_status(&running, "running");
    let follow = served.open("GET", &format!("/api/benchmark/{waiting}/events"), "", "");
    let begun = Instant::now();
    let mut served = served;
    let id = served.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(served.child.wait().unwrap().code(), Some(1), "a job was cut short");
    assert!(begun.elapsed() < Duration::from_secs(25), "it waited for its followers");
    drop(follow);
}

/// Asks a server to end, and waits until it has; whether it said that all was well.
fn terminate(served: &mut Served) -> bool {
    let id = served.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    served.child.wait().unwrap().success()
}

/// Nobody follows the job: the server waits for it of its own accord.
#[test]
fn a_server_that_is_asked_to_end_waits_for_what_is_measured() {
    let folder = Folder::new("jobs-asked-to-end");
    let mut served = folder.served();
    let id = served.submit(&long());
    served.until(&id, "a row", |job| job["progress"]["done"].as_u64() > Some(0));
    assert!(!terminate(&mut served), "a job was cut short");
    let kept = std::fs::read(folder.0.join("jobs").join(&id).join("job.json")).unwrap();
    let job: Value = serde_json::from_slice(&kept).unwrap();
    assert_eq!(job["status"], "failed", "{job}");
    assert!(job["error"].as_str().unwrap().contains("what was measured is kept"), "{job}");
    assert!(job["finished_at"].is_u64() && job["progress"]["done"].as_u64() > Some(0), "{job}");
}

/// Whatever ends it then.
#[test]
fn what_was_cancelled_is_cancelled_though_the_server_ends() {
    let folder = Folder::new("jobs-cancelled-at-the-end");
    let mut served = folder.served();
    let id = served.submit(&long());
    served.until_status(&id, "running");
    assert_eq!(served.call("POST", &format!("/api/benchmark/{id}/cancel"), "", "").0, 200);
    assert!(terminate(&mut served), "nothing that anybody wanted was cut short");
    let kept = std::fs::read(folder.0.join("jobs").join(&id).join("job.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&kept).unwrap()["status"], "cancelled");
}

#[test]
fn without_a_folder_nothing_is_taken_and_all_else_is_there() {
    let folder = Folder::new("jobs-no-folder");
    std::fs::write(folder.0.join("jobs"), "a file").unwrap();
    let served = folder.served();
    assert!(served.said.contains("warning: benchmarks over HTTP: "), "{}", served.said);
    let (status, error) = served.json("POST", "/api/benchmark", &short().to_string());
    assert_eq!((status, &error["error"]["code"]), (503, &"jobs_not_kept".into()), "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains("jobs: "), "{error}");
    assert_eq!(served.get("/api/benchmark").1["data"], json!([]));
    assert_eq!(served.call("GET", "/jobs", "", "").0, 200);
}
