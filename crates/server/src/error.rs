//! What a request is refused with: OpenAI's error body and the status that fits.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pacemark_backend::BackendError;
use pacemark_files::{bounded, excerpt};
use pacemark_openai_api::{ErrorBody, ErrorResponse};

/// A refusal or a fault.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// In words.
    pub message: String,
    /// The field it is about.
    pub param: Option<String>,
    /// For programs.
    pub code: Option<&'static str>,
}

/// What a handler gives.
pub type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    fn new(status: StatusCode, code: Option<&'static str>, message: impl Into<String>) -> ApiError {
        ApiError { status, message: bounded(&message.into()).into_owned(), param: None, code }
    }

    /// The request is wrong.
    pub fn invalid(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, None, message)
    }

    /// Field `param` is wrong.
    pub fn field(param: impl Into<String>, message: impl Into<String>) -> ApiError {
        ApiError::invalid(message).about(param)
    }

    /// Field `param` is known, but what it asks for cannot be had here.
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, Some("unsupported_parameter"), message).about(param)
    }

    /// The request does not fit the context, in the words by which clients know that: LiteLLM looks
    /// for the first, LangChain for the second.
    pub(crate) fn too_long(n_ctx: usize, found: &str, field: &str) -> ApiError {
        let message = format!(
            "This model's maximum context length is {n_ctx} tokens. However, the prompt is too long: {found}. Please reduce \
             the length of the {field}."
        );
        ApiError::invalid(message).coded("context_length_exceeded")
    }

    /// Nothing is there.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, Some(code), message)
    }

    /// A key is missing or wrong.
    pub(crate) fn unauthorized(message: &str) -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, Some("invalid_api_key"), message)
    }

    /// There is no room now.
    pub fn busy(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, Some("rate_limit_exceeded"), message)
    }

    /// The service has no room for it now.
    pub(crate) fn out_of_capacity(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, Some("out_of_capacity"), message)
    }

    /// The server is about to end.
    pub(crate) fn draining() -> ApiError {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Some("draining"),
            "the server is shutting down",
        )
    }

    /// The engine computes nothing any more: the server is to be started anew.
    pub(crate) fn broken(why: &str) -> ApiError {
        let message = format!("the engine computes nothing any more: {why}; start the server anew");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, Some("engine_broken"), message)
    }

    /// Something broke here.
    pub fn fault(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, None, message)
    }

    /// Any other status.
    pub fn with_status(status: StatusCode, message: impl Into<String>) -> ApiError {
        ApiError::new(status, None, message)
    }

    /// It is about field `param`.
    pub fn about(self, param: impl Into<String>) -> ApiError {
        ApiError { param: Some(excerpt(&param.into()).into_owned()), ..self }
    }

    /// With a word for programs.
    pub fn coded(self, code: &'static str) -> ApiError {
        ApiError { code: Some(code), ..self }
    }

    /// The error's JSON.
    pub(crate) fn body(&self) -> ErrorResponse {
        let kind = match self.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        ErrorResponse {
            error: ErrorBody {
                message: self.message.clone(),
                kind: Some(kind.into()),
                param: self.param.clone(),
                code: self.code.map(Into::into),
            },
        }
    }
}

impl From<BackendError> for ApiError {
    fn from(error: BackendError) -> ApiError {
        let message = error.to_string();
        match error {
            BackendError::InvalidRequest(_) => ApiError::invalid(message),
            BackendError::Unsupported { .. } => {
                ApiError::invalid(message).coded("unsupported_parameter")
            }
            BackendError::ContextExceeded { n_ctx, .. } | BackendError::TooLong { n_ctx, .. } => {
                ApiError::too_long(n_ctx, &message, "prompt")
            }
            BackendError::Full(_) => ApiError::out_of_capacity(message),
            BackendError::Engine(_) => ApiError::fault(message),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body()).unwrap_or_default(); // strings and nulls can always be written
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
