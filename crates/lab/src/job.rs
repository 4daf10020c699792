//! What a job is asked for, and what becomes of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is measured of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestType {
    /// Time to the first token, and tokens a second.
    Latency,
    /// What loading and generating take.
    Memory,
    /// Requests at once, and batches.
    Throughput,
}

impl TestType {
    /// All of them.
    pub const ALL: [TestType; 3] = [TestType::Latency, TestType::Memory, TestType::Throughput];

    /// Its name in a suite and in a request.
    pub fn name(self) -> &'static str {
        match self {
            TestType::Latency => "latency",
            TestType::Memory => "memory",
            TestType::Throughput => "throughput",
        }
    }
}

/// The body of `POST /api/benchmark`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The model, by a name that the server knows.
    pub model_name: String,
    /// What is measured of it; all where nothing is said.
    #[serde(default = "all")]
    pub test_types: Vec<TestType>,
    /// Settings of a suite in place of its own, by their keys, e.g. `latency.test_runs`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

fn all() -> Vec<TestType> {
    TestType::ALL.to_vec()
}

/// Longest name of a model or of a job, in bytes.
const LONGEST_NAME: usize = 200;
/// Most settings of a job.
const MOST_SETTINGS: usize = 100;

impl Wanted {
    /// What is wrong with it in itself: the field, and why.
    pub fn mistake(&self) -> Option<(&'static str, String)> {
        let n_tests = self.test_types.len();
        let is_twice = |(i, test)| self.test_types[..i].contains(test);
        if self.model_name.is_empty() || self.model_name.len() > LONGEST_NAME {
            let n = self.model_name.len();
            let why = format!("expected a name of 1 to {LONGEST_NAME} bytes, found {n} bytes");
            return Some(("model_name", why));
        }
        if n_tests == 0 || self.test_types.iter().enumerate().any(is_twice) {
            let names = TestType::ALL.map(TestType::name).join(", ");
            return Some(("test_types", format!("expected some of {names}, each once")));
        }
        if self.settings.len() > MOST_SETTINGS {
            let why = format!("expected {MOST_SETTINGS} at most, found {}", self.settings.len());
            return Some(("settings", why));
        }
        let n = self.name.as_ref().map_or(0, String::len);
        (n > LONGEST_NAME)
            .then(|| ("name", format!("expected {LONGEST_NAME} bytes at most, found {n}")))
    }
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for its turn, or for the server to be idle.
    Queued,
    /// It is measured.
    Running,
    /// All was measured.
    Completed,
    /// It ended before; what was measured until then is there.
    Failed,
    /// It was not wanted any more; what was measured until then is there.
    Cancelled,
}

impl Status {
    /// Whether nothing more becomes of it.
    pub fn is_over(self) -> bool {
        matches!(self, Status::Completed | Status::Failed | Status::Cancelled)
    }
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Rows that are measured, well or not.
    pub done: usize,
    /// Rows in all.
    pub of: usize,
    /// The row under way, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name among the jobs.
    pub id: String,
    /// How it stands.
    pub status: Status,
    /// What was asked for.
    pub request: Wanted,
    /// When it was asked for, seconds since 1970 UTC.
    pub created_at: u64,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<u64>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<u64>,
    /// How far it is, once it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// What it waits for, if that is not another job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Why it did not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
