//! The body of answers in one piece: choices, messages and the calls in them, usage.

use super::clock::Record;
use super::logprobs::{self, TokenNames};
use super::shape::{Shape, finish_reason, timings, usage};
use super::whole::{Whole, WholeAnswer, whole};
use crate::app::App;
use crate::error::Result;
use crate::json::answer;
use crate::prepare::Job;
use crate::tools::{Piece, Scanner, ToolParsing};
use axum::response::Response;
use pacemark_backend::{GenerateRequest, TokenId};
use pacemark_openai_api::{
    ChatChoice, ChatLogprobs, ChatResponse, CompletionChoice, CompletionResponse, FunctionCall,
    ResponseMessage, ToolCall,
};
use std::sync::Arc;
use std::time::Duration;

/// Submits `job`, waits for all its answers and puts them in one body.
pub(crate) async fn in_one_piece(
    app: &Arc<App>,
    mut job: Job,
    shape: Shape,
    mut record: Record,
    took: Duration,
) -> Result<Response> {
    let requests = std::mem::take(&mut job.requests);
    let prompt = |request: &GenerateRequest| job.wanted.ids.then(|| request.prompt.clone());
    let prompt_ids: Vec<_> = requests.iter().map(prompt).collect();
    let all = whole(app, requests, &mut record).await?;
    let clocks = || all.answers.iter().map(|answer| &answer.clock);
    let usage = Some(usage(clocks(), job.n));
    let timings = timings(job.wanted, clocks(), took);
    let created = crate::app::unix_time();
    let (id, model) = (record.id.clone(), app.options.model_name().to_string());
    let system_fingerprint = Some(app.fingerprint.clone());
    match shape {
        Shape::Chat => {
            let choices = chat_choices(app, &job, all);
            let object = "chat.completion".to_string();
            let prompt_token_ids = prompt_ids.into_iter().next().flatten();
            answer(&ChatResponse {
                id,
                object,
                created,
                model,
                system_fingerprint,
                choices,
                prompt_token_ids,
                usage,
                timings,
            })
        }
        Shape::Completion => {
            let choices = completion_choices(app, &job, all, prompt_ids);
            let object = "text_completion".to_string();
            answer(&CompletionResponse {
                id,
                object,
                created,
                model,
                system_fingerprint,
                choices,
                usage,
                timings,
            })
        }
    }
}

fn completion_choices(
    app: &App,
    job: &Job,
    all: Whole,
    prompt_ids: Vec<Option<Vec<TokenId>>>,
) -> Vec<CompletionChoice> {
    let names = TokenNames { text: app.service.text(), by_id: job.wanted.named_by_id };
    let choice = |(i, (answer, prompt_token_ids)): (usize, (WholeAnswer, Option<Vec<TokenId>>))| {
        CompletionChoice {
            index: i as u64,
            logprobs: job.wanted.logprobs.then(|| logprobs::completion(names, &answer.tokens)),
            text: answer.text,
            finish_reason: Some(answer.reason.as_str().into()),
            prompt_token_ids,
            token_ids: job.wanted.ids.then_some(answer.ids),
        }
    };
    all.answers.into_iter().zip(prompt_ids).enumerate().map(choice).collect()
}

fn chat_choices(app: &App, job: &Job, all: Whole) -> Vec<ChatChoice> {
    let names = TokenNames { text: app.service.text(), by_id: job.wanted.named_by_id };
    let choice = |(i, answer): (usize, WholeAnswer)| {
        let content = || answer.tokens.iter().map(|scored| logprobs::chat(names, scored)).collect();
        let logprobs = job.wanted.logprobs.then(|| ChatLogprobs { content: Some(content()) });
        let message = message(app, answer.text, job.tools.as_ref());
        let called = message.tool_calls.is_some();
        let reason = finish_reason(answer.reason, called, job.tools.as_ref());
        let token_ids = job.wanted.ids.then_some(answer.ids);
        ChatChoice {
            index: i as u64,
            message,
            logprobs,
            finish_reason: Some(reason.into()),
            token_ids,
        }
    };
    all.answers.into_iter().enumerate().map(choice).collect()
}

/// What the assistant says and calls.
fn message(app: &App, text: String, tools: Option<&ToolParsing>) -> ResponseMessage {
    let role = "assistant".to_string();
    let Some(parsing) = tools else {
        return ResponseMessage { role, content: Some(text), ..ResponseMessage::default() };
    };
    let mut scanner = Scanner::new(parsing.clone());
    let mut content = String::new();
    let mut calls: Vec<ToolCall> = Vec::new();
    let mut pieces = scanner.feed(&text);
    pieces.extend(scanner.finish());
    for piece in pieces {
        match piece {
            Piece::Text(text) => content.push_str(&text),
            Piece::Call(name) => calls.push(ToolCall {
                id: format!("call_{}", app.new_id()),
                kind: "function".into(),
                function: FunctionCall { name, arguments: String::new() },
            }),
            Piece::Arguments(more) => {
                if let Some(call) = calls.last_mut() {
                    call.function.arguments.push_str(&more);
                }
            }
        }
    }
    let content = Some(content).filter(|content| !content.is_empty() || calls.is_empty());
    ResponseMessage {
        role,
        content,
        tool_calls: Some(calls).filter(|calls| !calls.is_empty()),
        ..ResponseMessage::default()
    }
}
