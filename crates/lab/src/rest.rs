//! The routes of jobs: asked for, listed, looked at, followed, cancelled, and their results.

use crate::job::{Job, Status, Wanted};
use crate::jobs::{Jobs, Uncancelled};
use crate::{Refusal, events};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use pacemark_server::annex::{Annex, Serving};
use pacemark_server::{ApiError, Result, answer};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of a job's body at most.
const LONGEST_BODY: usize = 64 << 10;
/// Jobs that a list has at most.
const LONGEST_LIST: usize = 1000;

/// Results as a page: they fetch nothing, and are of no site, whatever stands in them.
const ALONE: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// What handlers share.
#[derive(Clone)]
struct Desk {
    jobs: Arc<Jobs>,
    serving: Serving,
}

/// The routes of `jobs`, for a server; what is asked for is measured from then on. With them come the
/// pages, also of the runs in the file `history`, where runs are kept.
pub fn annex(jobs: Arc<Jobs>, history: Option<PathBuf>) -> Annex {
    let openapi = openapi(&jobs);
    let all = move |serving: Serving| {
        let pages = crate::pages::routes(jobs.clone(), &serving, history);
        routes(jobs, serving).merge(pages)
    };
    Annex { routes: Box::new(all), openapi }
}

/// What the routes are in the document of the API.
fn openapi(jobs: &Jobs) -> Value {
    let mut document: Value =
        serde_json::from_str(include_str!("openapi.json")).unwrap_or_default();
    let names = jobs.runner().formats();
    if let Some(format) = document.pointer_mut("/components/schemas/ResultFormat") {
        format["enum"] = json!(names);
    }
    document
}

fn routes(jobs: Arc<Jobs>, serving: Serving) -> Router {
    jobs.work(serving.clone());
    Router::new()
        .route("/api/benchmark", post(submit).get(list))
        .route("/api/benchmark/{id}", get(one).delete(cancel))
        .route("/api/benchmark/{id}/cancel", post(cancel))
        .route("/api/benchmark/{id}/events", get(follow))
        .route("/api/benchmark/{id}/results", get(results))
        .with_state(Desk { jobs, serving })
}

/// `POST /api/benchmark`: 202, and the job.
async fn submit(State(desk): State<Desk>, headers: HeaderMap, body: Body) -> Result<Response> {
    let Desk { jobs, serving } = desk;
    let body = serving.body(&headers, body, LONGEST_BODY).await?;
    let wanted: Wanted = Serving::parse(&body)?;
    if !jobs.limits().takes_jobs {
        let why = "whoever reaches this server could hold it: jobs are taken with --api-key, or on this machine alone";
        return Err(ApiError::with_status(StatusCode::FORBIDDEN, why).coded("jobs_not_taken"));
    }
    if let Some((field, why)) = wanted.mistake() {
        return Err(ApiError::field(field, format!("{field}: {why}")));
    }
    let submitted = blocking(move || {
        jobs.runner().check(&wanted).map_err(refused)?;
        let kept = jobs.submit(wanted).map_err(|error| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            ApiError::with_status(status, error.to_string()).coded("jobs_not_kept")
        })?;
        kept.ok_or_else(|| {
            let most = jobs.limits().max_queued;
            ApiError::busy(format!("{most} jobs wait already; try again when one has ended"))
        })
    });
    let job = submitted.await?;
    let mut response = answer(&job)?;
    *response.status_mut() = StatusCode::ACCEPTED;
    if let Ok(place) = HeaderValue::from_str(&format!("/api/benchmark/{}", job.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Model(why) => ApiError::not_found("model_not_found", why).about("model_name"),
        Refusal::Settings(why) => ApiError::field("settings", why),
    }
}

/// On a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let worked = tokio::task::spawn_blocking(work).await;
    worked.unwrap_or_else(|_| Err(ApiError::fault("the request failed")))
}

/// Which jobs are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    status: Option<Status>,
    limit: Option<usize>,
}

/// `GET /api/benchmark`: the newest first.
async fn list(
    State(desk): State<Desk>,
    query: std::result::Result<Query<Listed>, axum::extract::rejection::QueryRejection>,
) -> Result<Response> {
    let Query(wanted) = query.map_err(|error| ApiError::invalid(error.body_text()))?;
    let limit = wanted.limit.unwrap_or(LONGEST_LIST);
    if limit > LONGEST_LIST {
        let why = format!("limit: expected {LONGEST_LIST} at most, found {limit}");
        return Err(ApiError::field("limit", why));
    }
    let jobs = blocking(move || Ok(desk.jobs.list())).await?;
    let passes = |job: &Job| wanted.status.is_none_or(|status| job.status == status);
    let jobs: Vec<Job> = jobs.into_iter().filter(passes).take(limit).collect();
    answer(&json!({ "object": "list", "data": jobs }))
}

fn unknown(id: &str) -> ApiError {
    let id = pacemark_files::excerpt(id).into_owned();
    ApiError::not_found("job_not_found", format!("there is no job {id}"))
}

/// The id in a path, which may be no text at all.
type Named = std::result::Result<Path<String>, axum::extract::rejection::PathRejection>;

fn id_of(named: Named) -> Result<String> {
    let Path(id) = named.map_err(|error| ApiError::invalid(error.body_text()))?;
    Ok(id)
}

/// `GET /api/benchmark/ID`
async fn one(State(desk): State<Desk>, named: Named) -> Result<Response> {
    let id = id_of(named)?;
    let job = blocking(move || desk.jobs.get(&id).ok_or_else(|| unknown(&id))).await?;
    answer(&job)
}

/// `DELETE /api/benchmark/ID` and `POST /api/benchmark/ID/cancel`: a job that is measured ends soon.
async fn cancel(State(desk): State<Desk>, named: Named) -> Result<Response> {
    let id = id_of(named)?;
    let cancelled = blocking(move || {
        desk.jobs.cancel(&id).map_err(|error| match error {
            Uncancelled::Unknown => unknown(&id),
            Uncancelled::Over(status) => {
                let status = serde_json::to_value(status).unwrap_or_default();
                let status = status.as_str().unwrap_or_default().to_owned();
                ApiError::with_status(StatusCode::CONFLICT, format!("the job is {status}"))
                    .coded("job_is_over")
            }
        })
    });
    answer(&cancelled.await?)
}

/// `GET /api/benchmark/ID/events`
async fn follow(State(desk): State<Desk>, named: Named) -> Result<Response> {
    let id = id_of(named)?;
    if !desk.jobs.has(&id) {
        return Err(unknown(&id));
    }
    Ok(events::stream(&desk.jobs, id))
}

/// How results are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    format: Option<String>,
}

/// `GET /api/benchmark/ID/results`: what was measured until now.
async fn results(
    State(desk): State<Desk>,
    named: Named,
    query: std::result::Result<Query<Shown>, axum::extract::rejection::QueryRejection>,
) -> Result<Response> {
    let Query(Shown { format }) = query.map_err(|error| ApiError::invalid(error.body_text()))?;
    let (id, format) = (id_of(named)?, format.unwrap_or_else(|| "json".to_owned()));
    let results = blocking(move || {
        let formats = desk.jobs.runner().formats();
        if !desk.jobs.has(&id) {
            return Err(unknown(&id));
        }
        if !formats.contains(&format.as_str()) {
            let found = pacemark_files::excerpt(&format).into_owned();
            let why = format!("format: expected one of {}, found {found}", formats.join(", "));
            return Err(ApiError::field("format", why));
        }
        desk.jobs
            .results(&id, &format)
            .map_err(|why| ApiError::with_status(StatusCode::CONFLICT, why).coded("no_results"))
    });
    let crate::Results { content_type, bytes } = results.await?;
    let mut response = pacemark_server::typed(content_type, bytes);
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, ALONE),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}
