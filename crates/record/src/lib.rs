//! What was measured: the schema of a run and the statistics over its raw samples.
//!
//! A [`Run`] is plain data that can be written as JSON and read again. Raw samples are kept and
//! every statistic is computed from them anew, by the pure functions of [`stats`]; [`Metric`] says
//! which figures there are and over which samples. The only modules that look at the machine are
//! [`mod@env`] and [`host`], which read `/proc` and `/sys`. How a run is made is left to `bench`, how
//! it is shown to `report`.

mod alike;
mod batch;
mod bounds;
mod cold;
mod comparison;
mod contender;
mod devices;
mod distances;
mod earlier;
mod elsewhere;
pub mod env;
mod fit;
mod generation;
mod grade;
pub mod host;
mod items;
mod load;
mod measured;
mod metric;
mod objective;
mod place;
pub mod pool;
mod quantized;
mod request;
pub mod rng;
mod roof;
mod schema;
mod scores;
mod self_test;
mod sender;
mod server_side;
mod slo;
mod stages;
pub mod stats;
mod steady;
mod target;
mod texts;
mod tuned;
mod until;
mod versus;

pub use alike::Alike;
pub use batch::BatchTimes;
pub use cold::{Cold, Inside, Start};
pub use comparison::{Comparison, Verdict, compare};
pub use contender::{Contender, EngineRun};
pub use devices::{DeviceKind, DeviceSample, DeviceUse, Span};
pub use distances::{Apart, Distances};
pub use elsewhere::{Away, Spent, SpentAway, Turns, Worker};
pub use fit::{Fit, FitMemory, FitRate, FitRound, Layers, Proof, ProofRun};
pub use generation::{Content, GENERATION_EXPERIMENT};
pub use grade::{Grade, Grades};
pub use items::{Answer, Choices, Item, Items, Outcome};
pub use load::{Disagreement, LOAD_EXPERIMENT};
pub use measured::{Chunk, Measured, Requests, Sample, Scores};
pub use metric::{
    Better, Ends, Figure, Metric, MetricColumn, Part, Series, Statistic, Unit, column, figures,
};
pub use objective::Objective;
pub use quantized::{FreshRun, Quantized};
pub use request::{Client, Failure, FailureKind, Request, TokenSource};
pub use roof::{Operations, Roof};
pub use schema::{Env, Flag, Model, RecordError, Run, SCHEMA, Trial, Warmup, test_name};
pub use self_test::{Percentiles, SELF_TEST_EXPERIMENT, SelfTestFigures, Told, self_test_figures};
pub use sender::{Began, Offset, OffsetMethod, Sender};
pub use server_side::{Known, KnownKind, SERVER_METRICS, Scrape, ServerFigure, ServerSide};
pub use slo::{Limit, LimitResult, LimitVerdict, Limited, Slo};
pub use stages::{STAGES_EXPERIMENT, StageFigures, StageTarget, StageVerdict, stage_figures};
pub use steady::{Steady, SteadyVerdict};
pub use target::{Bound, Measure, TargetVerdict};
pub use texts::{Continued, Held, ScoredText, Texts};
pub use tuned::{Fate, Tuned};
pub use until::{Until, half_width};
pub use versus::{UNPAIRED_RATIO, Versus};
