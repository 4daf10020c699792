//! The OpenAPI document says what the routes do.

mod common;

use common::{Server, instant, options};
use serde_json::{Value, json};

fn document() -> Value {
    Server::new(instant(), options()).get("/openapi.json").json()
}

#[test]
fn its_paths_are_the_routes() {
    let server = Server::new(instant(), options());
    let document = document();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{model}", "m");
            let answer =
                server.call(&method.to_uppercase(), &path, &["content-type: application/json"], "");
            assert!(!matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.status);
            let documented = &methods[method]["responses"][answer.status.to_string()];
            assert!(!documented.is_null(), "{method} {path}: {} is not documented", answer.status);
        }
    }
    let other_way =
        ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/tokenize", "/detokenize"];
    assert!(other_way.iter().all(|path| document["paths"][path]["post"].is_object()));
}

#[test]
fn its_fields_are_known_and_its_references_lead_somewhere() {
    let server = Server::new(instant(), options());
    let document = document();
    for (path, needed) in [
        ("/v1/chat/completions", json!({"messages": [{"role": "user", "content": "a"}]})),
        ("/v1/completions", json!({"prompt": "a"})),
        ("/v1/embeddings", json!({"input": "a"})),
        ("/tokenize", json!({"prompt": "a"})),
        ("/detokenize", json!({"tokens": [1]})),
    ] {
        let schema = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
            ["schema"];
        let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let properties = document["components"]["schemas"][name]["properties"].as_object().unwrap();
        for field in properties.keys() {
            let mut body = needed.clone();
            body[field] = json!([[null]]); // right for none of them
            let answer = server.post(path, &body.to_string());
            let param = answer.json()["error"]["param"].as_str().unwrap_or_default().to_string();
            assert!(
                answer.status == 400 && param.starts_with(field.as_str()),
                "{path} {field}: {:?}",
                answer.json()
            );
        }
    }
    let names = &document["components"]["schemas"]["ChatRequest"]["properties"]["model"]["enum"];
    assert_eq!(names, &json!(["m", "alias", null]));
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap())
    {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}
