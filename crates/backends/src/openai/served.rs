//! Which model a server has, and what it says of itself.

use super::OpenAiError;
use super::link::Link;
use super::words;
use serde_json::Value;

/// A model that is served.
#[derive(Debug)]
pub(super) struct Served {
    /// What requests call it.
    pub model: String,
    /// The server and its version, as far as it tells.
    pub engine: String,
    /// Tokens of the longest sequence, where it tells.
    pub n_ctx: Option<u64>,
}

/// The model of that name, or the only one.
pub(super) fn find(link: &Link, wanted: Option<&str>) -> Result<Served, OpenAiError> {
    let path = link.target.of_api("/models");
    let whole = link.ask(&path, "")?;
    // A server without a list of models may still have the one that is named.
    let listed = match (whole.status, wanted) {
        (200, _) => read(&link.url(&path), &whole.bytes)?,
        (404 | 405 | 501, Some(_)) => Vec::new(),
        _ => return Err(link.refusal(&path, &whole).into()),
    };
    let model = choose(&link.url(&path), &listed, wanted)?;
    let of = listed.iter().find(|one| one.get("id").and_then(Value::as_str) == Some(&model));
    let props = link.json(&link.target.beside_api("/props"));
    let number = |value: Option<&Value>| value.and_then(Value::as_u64).filter(|n| *n > 0);
    let n_ctx = number(of.and_then(|one| one.get("max_model_len")))
        .or(number(props.as_ref().and_then(|p| p.pointer("/default_generation_settings/n_ctx"))))
        .or(number(of.and_then(|one| one.pointer("/meta/n_ctx"))))
        .or(number(of.and_then(|one| one.pointer("/meta/n_ctx_train"))));
    let header =
        whole.headers.iter().find(|(name, _)| name == "server").map(|(_, said)| said.clone());
    let owner = of.and_then(|one| one.get("owned_by")).and_then(Value::as_str).map(str::to_owned);
    let version = link
        .json(&link.target.beside_api("/version"))
        .and_then(|said| said.get("version")?.as_str().map(str::to_owned))
        .or_else(|| props.as_ref()?.get("build_info")?.as_str().map(str::to_owned));
    let name = owner.filter(|owner| !owner.is_empty()).or(header).unwrap_or("OpenAI API".into());
    let engine = [Some(name), version].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Ok(Served { model, engine: words::excerpt_of(engine.as_bytes()), n_ctx })
}

/// The entries of a list of models.
fn read(url: &str, bytes: &[u8]) -> Result<Vec<Value>, OpenAiError> {
    let value: Option<Value> = serde_json::from_slice(bytes).ok();
    let data = value.as_ref().and_then(|value| value.get("data")).and_then(Value::as_array);
    data.cloned().ok_or_else(|| {
        let found = words::excerpt_of(bytes);
        OpenAiError::Server(format!(
            "{url}: no OpenAI-compatible server is there: expected data with models, found: {found}"
        ))
    })
}

fn choose(url: &str, listed: &[Value], wanted: Option<&str>) -> Result<String, OpenAiError> {
    let ids: Vec<&str> = listed.iter().filter_map(|one| one.get("id")?.as_str()).collect();
    let names = || words::excerpt_of(ids.join(", ").as_bytes());
    match (wanted, &ids[..]) {
        (Some(wanted), []) => Ok(wanted.to_owned()),
        (Some(wanted), ids) if ids.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => Err(OpenAiError::Server(format!(
            "{url}: the server has no model {wanted}, it has: {}",
            names()
        ))),
        (None, [only]) => Ok((*only).to_owned()),
        (None, []) => Err(OpenAiError::Server(format!(
            "{url}: the server lists no model: name one with --served-model"
        ))),
        (None, _) => Err(OpenAiError::Server(format!(
            "{url}: the server has several models, name one with --served-model: {}",
            names()
        ))),
    }
}
