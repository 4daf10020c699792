//! The laboratory in a browser: the history, runs, comparisons, trends, jobs, the server's traffic and a
//! chat. Pages are made here, whole; the one script only sends forms and shows what changes.
//!
//! What is shown of runs is `bench`'s and `report`'s, as on a terminal; which runs there are is the
//! `store`'s. A page is made on a thread that may block, and what cannot be shown is a page that says so.

mod archive;
mod asked;
mod chat;
mod compare;
mod figures;
mod history;
mod jobs;
mod live;
mod login;
mod run;
mod shell;
#[cfg(test)]
mod tests;
mod trends;

use crate::jobs::Jobs;
use archive::Archive;
use asked::Asked;
use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use pacemark_server::annex::Serving;
use shell::{Wrong, sealed};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Pages that are made at once: the rest of the machine is the model's.
const AT_ONCE: usize = 2;

/// What pages are made of.
#[derive(Clone)]
pub(crate) struct Desk {
    jobs: Arc<Jobs>,
    /// What requests may call the model that is served.
    models: Arc<[String]>,
    has_keys: bool,
    archive: Archive,
    turns: Arc<Semaphore>,
}

/// What a page is, or why there is none.
type Paged = Result<Response, Wrong>;

/// A page of what was asked and of the name in its path, which is empty where it has none.
type Make = fn(&Desk, &Asked, &str) -> Paged;

/// The pages, for a server; `history` is the file of runs, `None` where none are kept.
pub(crate) fn routes(jobs: Arc<Jobs>, serving: &Serving, history: Option<PathBuf>) -> Router {
    of(Desk::new(jobs, serving.model_names(), serving.has_keys(), history))
}

impl Desk {
    fn new(jobs: Arc<Jobs>, models: &[String], has_keys: bool, history: Option<PathBuf>) -> Desk {
        let (archive, turns) = (Archive::new(history), Arc::new(Semaphore::new(AT_ONCE)));
        Desk { jobs, models: models.into(), has_keys, archive, turns }
    }
}

fn of(desk: Desk) -> Router {
    Router::new()
        .route("/", page(history::page))
        .route("/runs/{id}", page(run::page))
        .route("/runs/{id}/record.json", page(run::record))
        .route("/compare", page(compare::page))
        .route("/trends", page(trends::page))
        .route("/jobs", page(jobs::list))
        .route("/jobs/{id}", page(jobs::one))
        .route("/live", page(live::page))
        .route("/chat", page(chat::page))
        .route("/login", page(login::page))
        .route("/assets/pages.css", get(async || asset("text/css; charset=utf-8", shell::style())))
        .route(
            "/assets/pages.js",
            get(async || asset("text/javascript; charset=utf-8", shell::SCRIPT)),
        )
        .route("/{*path}", any(nowhere))
        .with_state(desk)
}

/// Where no route leads: a page for who reads pages, and the API's own error for all others.
async fn nowhere(request: Request) -> Response {
    let path = request.uri().path();
    if !pacemark_server::wants_page(&request) {
        let error = pacemark_server::ApiError::not_found("not_found", "there is no such route");
        return error.into_response();
    }
    let why = format!("there is no page {}", pacemark_files::excerpt(path));
    sealed(Wrong::unknown(why).into_response())
}

/// Makes a page on a thread that may block.
fn page(make: Make) -> axum::routing::MethodRouter<Desk> {
    type Named = Result<Option<Path<String>>, axum::extract::rejection::PathRejection>;
    get(async move |State(desk): State<Desk>, RawQuery(query): RawQuery, named: Named| {
        let made = async {
            let named = named.map_err(|error| Wrong::asked(error.body_text()))?;
            let asked = Asked::read(query.as_deref().unwrap_or_default())?;
            // Who goes away leaves work that goes on: the turn is over when that is.
            let turn = desk.turns.clone().acquire_owned().await.map_err(|_| Wrong::broken())?;
            let work = move || {
                let _turn = turn;
                make(&desk, &asked, &named.map_or(String::new(), |Path(id)| id))
            };
            let made = tokio::task::spawn_blocking(work).await;
            made.unwrap_or_else(|_| Err(Wrong::broken()))
        };
        sealed(made.await.unwrap_or_else(IntoResponse::into_response))
    })
}

/// A file that a browser keeps: its address has a mark of what it holds.
fn asset(content_type: &'static str, text: &'static str) -> Response {
    let mut response = sealed(pacemark_server::typed(content_type, text));
    let for_long = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, for_long);
    response
}

/// A page that is there.
fn fine(html: String) -> Paged {
    Ok(shell::html(StatusCode::OK, html))
}
