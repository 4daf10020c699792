//! What answers of both kinds say alike, in one piece or as a stream: which route they are for, why
//! they ended, what they cost.

use super::clock::AnswerClock;
use crate::prepare::Wanted;
use crate::tools::ToolParsing;
use pacemark_backend::FinishReason;
use pacemark_openai_api::{Timings, Usage};
use std::time::Duration;

/// Which route an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/completions`
    Completion,
}

impl Shape {
    /// The first letters of ids.
    pub(crate) fn id_prefix(self) -> &'static str {
        match self {
            Shape::Chat => "chatcmpl-",
            Shape::Completion => "cmpl-",
        }
    }
}

/// OpenAI's word for why an answer ended; one that was made to call a certain tool just stops.
pub(super) fn finish_reason(
    reason: FinishReason,
    called: bool,
    tools: Option<&ToolParsing>,
) -> &'static str {
    match (reason, tools) {
        (FinishReason::Stop, Some(ToolParsing::Named(_))) => "stop",
        (FinishReason::Stop, Some(_)) if called => "tool_calls",
        (reason, _) => reason.as_str(),
    }
}

/// What an answer's `timings` hold; nothing where nothing was asked for. Of several answers, counts
/// and speeds are the first's.
pub(super) fn timings<'a>(
    wanted: Wanted,
    mut clocks: impl Iterator<Item = &'a AnswerClock> + Clone,
    prepare: Duration,
) -> Option<Timings> {
    let spans = wanted.spans.then(|| AnswerClock::spans(clocks.clone(), prepare));
    let speeds = wanted.speeds.then(|| clocks.next().map(AnswerClock::speeds)).flatten();
    (spans.is_some() || speeds.is_some()).then_some(Timings { spans, speeds })
}

/// Token counts of a request whose prompts have `n` answers each, side by side: a prompt counts
/// once.
pub(super) fn usage<'a>(answers: impl Iterator<Item = &'a AnswerClock>, n: usize) -> Usage {
    let (mut prompt, mut cached, mut output) = (0, 0, 0);
    for (i, answer) in answers.enumerate() {
        if i % n == 0 {
            prompt += answer.usage.prompt_tokens as u64;
            cached += answer.usage.cached_tokens as u64;
        }
        output += answer.usage.output_tokens as u64;
    }
    Usage::new(prompt, output, cached)
}
