//! `/v1/embeddings`: the prompts, and how their states become a vector.

use super::Context;
use crate::error::{ApiError, Result};
use crate::fields::{Body, refuse_unsupported};
use crate::json::parse;
use pacemark_backend::{Pooling, TokenId};
use pacemark_openai_api::{EmbeddingRequest, EncodingFormat, PoolingType};

/// Embeddings that are ready to be computed.
#[derive(Debug)]
pub(crate) struct EmbeddingJob {
    /// One for each input.
    pub prompts: Vec<Vec<TokenId>>,
    /// How states become a vector; `None` for the model's own way.
    pub pooling: Option<Pooling>,
    /// How vectors are written.
    pub format: EncodingFormat,
}

/// Prepares embeddings.
pub(crate) fn embedding(context: &Context<'_>, body: &[u8]) -> Result<EmbeddingJob> {
    let request: EmbeddingRequest = parse(body)?;
    context.check_model(request.model.as_deref())?;
    refuse_unsupported(Body::Embedding, &request.extra)?;
    if !context.service.capabilities().embeddings {
        return Err(
            ApiError::invalid("this model computes no embeddings").coded("unsupported_parameter")
        );
    }
    let pooling = request.pooling.map(|pooling| match pooling {
        PoolingType::Mean => Pooling::Mean,
        PoolingType::Cls => Pooling::Cls,
        PoolingType::Last => Pooling::Last,
    });
    let prompts = context.tokens("input", request.input, true, None)?;
    Ok(EmbeddingJob { prompts, pooling, format: request.encoding_format.unwrap_or_default() })
}
