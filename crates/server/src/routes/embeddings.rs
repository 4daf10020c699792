//! `/v1/embeddings`.

use super::body;
use crate::app::App;
use crate::error::{ApiError, Result};
use crate::json::answer;
use crate::prepare;
use axum::extract::{Request, State};
use axum::response::Response;
use pacemark_backend::{BackendError, Ticket};
use pacemark_openai_api::{Embedding, EmbeddingResponse, EncodingFormat, Usage, Vector};
use std::sync::Arc;
use tokio::sync::mpsc::unbounded_channel;

/// `POST /v1/embeddings`
pub(super) async fn embeddings(State(app): State<Arc<App>>, request: Request) -> Result<Response> {
    let mut places = app.enter(1)?;
    let body = body::read(&app, request.into_body()).await?;
    let job = body::prepare(&app, body, prepare::embedding).await?;
    if !places.resize(job.prompts.len()) {
        return Err(app.full());
    }
    let n_tokens = job.prompts.iter().map(Vec::len).sum::<usize>() as u64;
    let n_prompts = job.prompts.len();
    let (sender, mut results) =
        unbounded_channel::<(usize, std::result::Result<Vec<f32>, BackendError>)>();
    let tickets: Vec<Ticket> = job
        .prompts
        .into_iter()
        .enumerate()
        .map(|(i, prompt)| {
            let sender = sender.clone();
            // Nobody waits for it any more when its client is gone.
            app.service.embed(
                prompt,
                job.pooling,
                Box::new(move |result| drop(sender.send((i, result)))),
            )
        })
        .collect();
    drop(sender);
    let mut vectors: Vec<Option<Vector>> = (0..n_prompts).map(|_| None).collect();
    for _ in 0..n_prompts {
        let (i, result) =
            results.recv().await.ok_or_else(|| ApiError::fault("the engine has ended"))?;
        vectors[i] = Some(written(
            result.map_err(|error| ApiError::from(error).about("input"))?,
            job.format,
        ));
    }
    drop(tickets);
    let data = vectors.into_iter().flatten().enumerate();
    let data = data
        .map(|(i, embedding)| Embedding { object: "embedding".into(), index: i as u64, embedding })
        .collect();
    let usage = Usage { prompt_tokens: n_tokens, total_tokens: n_tokens, ..Usage::default() };
    answer(&EmbeddingResponse {
        object: "list".into(),
        data,
        model: app.options.model_name().into(),
        usage,
    })
}

fn written(vector: Vec<f32>, format: EncodingFormat) -> Vector {
    match format {
        EncodingFormat::Float => Vector::Float(vector),
        EncodingFormat::Base64 => Vector::Base64(base64(
            &vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>(),
        )),
    }
}

/// RFC 4648's base64, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let sextet = (bits >> (18 - 6 * i)) as usize & 63;
            out.push(if i <= three.len() { ALPHABET[sextet] as char } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    /// The test vectors of RFC 4648.
    #[test]
    fn base64_is_the_standards() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(super::base64(bytes.as_bytes()), text);
        }
        assert_eq!(super::base64(&[0xfb, 0xff, 0xbf]), "+/+/");
    }
}
