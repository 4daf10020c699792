//! The JSON of OpenAI's HTTP API, with the extensions that vLLM's users expect, for servers and for
//! clients.
//!
//! Types, and the event stream that carries them ([`sse`]): what a value must satisfy beyond its
//! JSON type is the server's affair, and what is sent when is the caller's. Fields that these types
//! do not know are kept in `extra`, since OpenAI's clients send new ones every month; a server
//! looks there for what it must refuse. Sources: OpenAI's API reference (chat, completions,
//! embeddings, models, streaming), vLLM's `entrypoints/openai/protocol.py` for the extra sampling
//! fields, tokenize and detokenize.

mod chat;
mod completion;
mod embedding;
mod error;
mod info;
mod lenient;
mod logprobs;
mod sampling;
pub mod sse;
mod tools;
mod usage;

pub use chat::{
    ChatChoice, ChatChunk, ChatChunkChoice, ChatRequest, ChatResponse, Content, ContentPart, Delta,
    Message, ResponseMessage,
};
pub use completion::{CompletionChoice, CompletionRequest, CompletionResponse, Prompt};
pub use embedding::{
    Embedding, EmbeddingRequest, EmbeddingResponse, EncodingFormat, PoolingType, Vector,
};
pub use error::{ErrorBody, ErrorResponse};
pub use info::{
    DetokenizeRequest, DetokenizeResponse, Model, ModelList, TokenizeRequest, TokenizeResponse,
};
pub use logprobs::{ChatLogprobs, CompletionLogprobs, TokenLogprob, TopLogprob};
pub use sampling::{
    Bias, JsonSchemaFormat, LogitBias, ResponseFormat, Sampling, Stop, StreamOptions,
    StructuredOutputs,
};
pub use tools::{
    FunctionCall, FunctionCallDelta, NamedTool, Tool, ToolCall, ToolCallDelta, ToolChoice,
    ToolFunction, ToolMode,
};
pub use usage::{PromptTokensDetails, Spans, Speeds, Timings, Usage};
