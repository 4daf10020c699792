//! `/tokenize` and `/detokenize`, in vLLM's shapes.

use super::body;
use crate::app::App;
use crate::error::{ApiError, Result};
use crate::fields::{Body, refuse_unsupported};
use crate::json::{answer, parse};
use crate::prepare::{Context, conversation, taught};
use axum::extract::{Request, State};
use axum::response::Response;
use pacemark_openai_api::{
    DetokenizeRequest, DetokenizeResponse, TokenizeRequest, TokenizeResponse,
};
use serde_json::Value;
use std::sync::Arc;

/// `POST /tokenize`
pub(super) async fn tokenize(State(app): State<Arc<App>>, request: Request) -> Result<Response> {
    let body = body::read(&app, request.into_body()).await?;
    answer(&body::prepare(&app, body, tokens).await?)
}

/// `POST /detokenize`
pub(super) async fn detokenize(State(app): State<Arc<App>>, request: Request) -> Result<Response> {
    let body = body::read(&app, request.into_body()).await?;
    answer(&body::prepare(&app, body, text).await?)
}

fn tokens(context: &Context<'_>, body: &[u8]) -> Result<TokenizeResponse> {
    let request: TokenizeRequest = parse(body)?;
    refuse_unsupported(Body::Tokens, &request.extra)?;
    context.check_model(request.model.as_deref())?;
    let text = context.text()?;
    let special = request.add_special_tokens;
    let tokens = match (request.prompt, request.messages) {
        (Some(prompt), None) => text.encode(&prompt, special.unwrap_or(true)),
        (None, Some(messages)) => {
            let mut extra = request.chat_template_kwargs.unwrap_or_default();
            extra.insert(
                "add_generation_prompt".into(),
                Value::Bool(request.add_generation_prompt.unwrap_or(true)),
            );
            let teller = taught(context)?.1;
            let tools = request.tools.as_deref().map(|tools| (tools, teller));
            let prompt = conversation(context, messages, tools, extra)?;
            // As for a chat, which has what its template writes, unless more is asked for.
            if special == Some(true) {
                text.encode(&prompt, true)
            } else {
                text.encode_chat(&prompt)
            }
        }
        _ => return Err(ApiError::field("prompt", "the body: expected either prompt or messages")),
    };
    let name = |token: &u32| {
        String::from_utf8_lossy(&text.token_bytes(*token).unwrap_or_default()).into_owned()
    };
    Ok(TokenizeResponse {
        count: tokens.len() as u64,
        max_model_len: context.info.n_ctx as u64,
        token_strs: (request.return_token_strs == Some(true))
            .then(|| tokens.iter().map(name).collect()),
        tokens,
    })
}

fn text(context: &Context<'_>, body: &[u8]) -> Result<DetokenizeResponse> {
    let request: DetokenizeRequest = parse(body)?;
    refuse_unsupported(Body::Tokens, &request.extra)?;
    context.check_model(request.model.as_deref())?;
    let n_vocab = context.info.vocab_size;
    if let Some(token) = request.tokens.iter().find(|token| **token as usize >= n_vocab) {
        return Err(ApiError::field(
            "tokens",
            format!("tokens: expected token ids below {n_vocab}, found {token}"),
        ));
    }
    Ok(DetokenizeResponse { prompt: context.text()?.decode(&request.tokens)? })
}
