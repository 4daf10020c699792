//! One body, posted to every route: no answer may be a fault of the server's. For tests and for the
//! fuzz target.

use pacemark_backend::{MockOptions, MockService};
use pacemark_server::{Local, Options};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Every route that takes a body.
pub(crate) const ROUTES: [&str; 5] =
    ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/tokenize", "/detokenize"];

/// Posts `body` everywhere.
pub(crate) fn body(body: &[u8]) {
    static LOCAL: OnceLock<Local> = OnceLock::new();
    let local = LOCAL.get_or_init(|| {
        let template = Some("{{ tools }} <tool_call>".to_string());
        let answer =
            Some("said <tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>".to_string());
        let mock = MockOptions {
            ttft: Duration::ZERO,
            itl: Duration::ZERO,
            template,
            answer,
            constraints: true,
            n_ctx: 256,
            ..MockOptions::default()
        };
        let options = Options { model_names: vec!["m".into()], quiet: true, ..Options::default() };
        Local::new(Arc::new(MockService::new(mock).expect("a thread")), options).expect("a runtime")
    });
    for route in ROUTES {
        let (status, answer) = local.post(route, body.to_vec()).expect("an answer");
        assert!(
            !status.is_server_error(),
            "{route}: {status}: {}",
            String::from_utf8_lossy(&answer)
        );
        if !status.is_success() {
            let error: serde_json::Value =
                serde_json::from_slice(&answer).expect("an error is JSON");
            assert!(
                error["error"]["message"].is_string() && answer.len() < 4000,
                "{route}: {error:.5000}"
            );
        }
    }
}
