//! `/v1/chat/completions` and `/v1/completions`.

use super::{body, json};
use crate::app::App;
use crate::error::Result;
use crate::log;
use crate::prepare::{self, Job};
use crate::respond::{
    AnswerClock, Outcome, Record, Shape, Whole, WholeAnswer, finish_reason, logprobs, stream, usage, whole,
};
use crate::tools::{Piece, Scanner, ToolParsing};
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use pacemark_backend::layer::{self, Layer};
use pacemark_openai_api::{
    ChatChoice, ChatLogprobs, ChatResponse, CompletionChoice, CompletionResponse, FunctionCall, ResponseMessage,
    Timings, ToolCall,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request's name, given when it came in.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// `POST /v1/chat/completions`
pub async fn chat(state: State<Arc<App>>, id: Extension<RequestId>, request: Request) -> Result<Response> {
    generate(state.0, id.0, request, Shape::Chat).await
}

/// `POST /v1/completions`
pub async fn completion(state: State<Arc<App>>, id: Extension<RequestId>, request: Request) -> Result<Response> {
    generate(state.0, id.0, request, Shape::Completion).await
}

async fn generate(app: Arc<App>, id: RequestId, request: Request, shape: Shape) -> Result<Response> {
    layer::pass(Layer::Handler);
    let arrived = Instant::now();
    let mut places = app.enter(1)?;
    let body = body::read(&app, request.into_body()).await?;
    let begun = Instant::now();
    let job = match shape {
        Shape::Chat => body::prepare(&app, body, prepare::chat).await?,
        Shape::Completion => body::prepare(&app, body, prepare::completion).await?,
    };
    if !places.resize(job.requests.len()) {
        return Err(app.full());
    }
    let took = begun.elapsed();
    if let Some(note) = job.note.filter(|_| !app.options.quiet) {
        app.noted.call_once(|| log::line(format_args!("{note}")));
    }
    let record = Record {
        app: app.clone(),
        id: format!("{}{}", shape.id_prefix(), id.0),
        route: if shape == Shape::Chat { "/v1/chat/completions" } else { "/v1/completions" },
        arrived,
        prompt_tokens: job.prompt_tokens(),
        output_tokens: 0,
        prompt_text: job.prompt_text.clone(),
        open_answers: job.requests.len(),
        outcome: Outcome::Aborted,
    };
    if job.stream {
        return stream(&app, job, shape, record, places, took).await;
    }
    let result = in_one_piece(&app, job, shape, record, took).await;
    drop(places);
    result
}

async fn in_one_piece(
    app: &Arc<App>,
    mut job: Job,
    shape: Shape,
    mut record: Record,
    took: Duration,
) -> Result<Response> {
    let requests = std::mem::take(&mut job.requests);
    let all = whole(app, requests, &mut record).await?;
    let clocks = || all.answers.iter().map(|answer| &answer.clock);
    let usage = usage(clocks(), job.n);
    let timings = job.timings.then(|| AnswerClock::timings(clocks(), took));
    let created = crate::app::unix_time();
    let (id, model) = (record.id.clone(), app.options.model_name().to_string());
    match shape {
        Shape::Chat => {
            let choices = chat_choices(app, &job, all);
            let object = "chat.completion".to_string();
            json(&ChatResponse { id, object, created, model, choices, usage: Some(usage), timings })
        }
        Shape::Completion => completion_response(app, &job, all, (id, created, model), usage, timings),
    }
}

fn completion_response(
    app: &App,
    job: &Job,
    all: Whole,
    (id, created, model): (String, u64, String),
    usage: pacemark_openai_api::Usage,
    timings: Option<Timings>,
) -> Result<Response> {
    let choices = all.answers.into_iter().enumerate().map(|(i, answer)| CompletionChoice {
        index: i as u64,
        logprobs: job.logprobs.then(|| logprobs::completion(app.service.text(), &answer.tokens)),
        text: answer.text,
        finish_reason: Some(answer.reason.as_str().into()),
    });
    let choices = choices.collect();
    json(&CompletionResponse {
        id,
        object: "text_completion".into(),
        created,
        model,
        choices,
        usage: Some(usage),
        timings,
    })
}

fn chat_choices(app: &App, job: &Job, all: Whole) -> Vec<ChatChoice> {
    let choice = |(i, answer): (usize, WholeAnswer)| {
        let content = || answer.tokens.iter().map(|scored| logprobs::chat(app.service.text(), scored)).collect();
        let logprobs = job.logprobs.then(|| ChatLogprobs { content: Some(content()) });
        let message = message(app, answer.text, job.tools.as_ref());
        let called = message.tool_calls.is_some();
        let reason = finish_reason(answer.reason, called, job.tools.as_ref());
        ChatChoice { index: i as u64, message, logprobs, finish_reason: Some(reason.into()) }
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
