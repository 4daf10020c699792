//! Jobs and answers: neither disturbs the other.

use super::served::Folder;
use serde_json::json;
use std::io::Read;
use std::net::TcpStream;

#[test]
fn nothing_is_measured_beside_answers_and_nothing_answered_beside_a_measurement() {
    let folder = Folder::new("jobs-traffic");
    let served = folder.start(&["--mock", "ttft=10ms,itl=40ms,seqs=8"]);
    // Eight seconds: whoever asks for a job meanwhile may be slow.
    let ask = r#"{"prompt": "a b c", "max_tokens": 200, "stream": true, "ignore_eos": true}"#;
    let json = "content-type: application/json\r\n";
    let mut streams: Vec<TcpStream> =
        (0..8).map(|_| served.open("POST", "/v1/completions", json, ask)).collect();
    for stream in &mut streams {
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    let id = served.submit(&json!({"model_name": "gpt2", "test_types": ["latency"]}));
    let waits = served.until(&id, "what it waits for", |job| job["waits_for"].is_string());
    assert_eq!(waits["status"], "queued");
    assert!(waits["waits_for"].as_str().unwrap().ends_with("answers under way"), "{waits}");
    for mut stream in streams {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("[DONE]"), "who was answered is answered to the end: {answer}");
    }
    served.until_status(&id, "running");
    let second = served.submit(&json!({"model_name": "gpt2", "test_types": ["latency"]}));
    let (status, error) = served.json("POST", "/v1/completions", ask);
    assert_eq!((status, &error["error"]["code"]), (503, &"benchmark_running".into()), "{error}");
    assert_eq!(served.get(&format!("/api/benchmark/{second}")).1["status"], "queued");
    for id in [&second, &id] {
        assert_eq!(served.json("DELETE", &format!("/api/benchmark/{id}"), "").0, 200);
        served.until_status(id, "cancelled");
    }
    let short = ask.replace("200", "5");
    let (status, _, body) = served.call("POST", "/v1/completions", json, &short);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
}
