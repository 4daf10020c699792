//! What is measured of items, by a backend that is made up.

use super::{Accuracy, Ask, Battery, Question, Retrieval, Setting, Task};
use crate::Warmups;
use crate::experiment::How;
use crate::{BenchError, Case, CutShort, Experiment, Observer, Repetitions, Subject};
use pacemark_backend::{
    Backend, BackendError, BackendInfo, Capabilities, Event, EventStream, GenerateRequest,
    ScoreRequest, TextScores,
};
use pacemark_record::{Outcome, Run, Trial};
use pacemark_setup::CacheTypes;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

/// Finds token t as likely as −t, says `yes` where all is kept, and fails on the policy `bad`.
struct Fake;

impl Backend for Fake {
    fn info(&self) -> BackendInfo {
        BackendInfo { n_threads: 1, ..BackendInfo::default() }
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
        assert_eq!((request.kv_prompt, request.max_tokens), (Some(2), 9));
        let all = request.kv.as_deref() == Some("full");
        let words = if all { ["oh ", "YES", "and more"] } else { ["no ", "no ", "no"] };
        let events = words.map(|text| {
            let (text, top, at) = (text.to_owned(), Vec::new(), Instant::now());
            Event::Token { id: 0, text, logprob: None, top, last: false, at }
        });
        Box::new(events.into_iter())
    }
    fn score_text(
        &self,
        request: &ScoreRequest,
        _: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<TextScores, BackendError> {
        assert_eq!(request.n_prompt, Some(request.first + 1), "the context is the prompt");
        if request.kv.as_deref() == Some("bad") {
            return Err(BackendError::InvalidRequest("bad".into()));
        }
        let tokens = &request.tokens[request.first + 1..];
        let logprobs = tokens.iter().map(|token| -(*token as f32)).collect();
        Ok(TextScores { logprobs, ..TextScores::default() })
    }
}

fn battery(ask: &Ask, settings: &[&str]) -> Battery {
    let question = |i: usize| Question { id: i.to_string(), depth: Some(50.0), ask: ask.clone() };
    let setting = |kv: &&str| Setting {
        name: (*kv).to_owned(),
        kv: (*kv).to_owned(),
        cache: CacheTypes::default(),
    };
    let task = |name: &str| Task {
        name: name.to_owned(),
        length: None,
        questions: (0..7).map(question).collect(),
    };
    Battery {
        tasks: vec![task("a"), task("b")],
        settings: settings.iter().map(setting).collect(),
        ..Battery::default()
    }
}

/// Stops after so many items.
struct Stops<'a>(&'a AtomicBool, usize);

impl Observer for Stops<'_> {
    fn computed(&mut self, done: usize, _: usize) {
        self.0.store(done >= self.1, Relaxed);
    }
}

fn run(
    experiment: &dyn Experiment,
    battery: Battery,
    stop_after: usize,
) -> Result<Vec<Trial>, CutShort> {
    let stop = AtomicBool::new(false);
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::None,
        seed: 0,
        observer: &mut Stops(&stop, stop_after),
        stop: &stop,
    };
    let backends: [&dyn Backend; 1] = [&Fake];
    experiment.measure(&Case::Battery(battery), &mut Subject::Backends(&backends), &mut how)
}

fn choices() -> Ask {
    // By length the second is better: -3 of 1 character against -4 of 4.
    let choices = vec![vec![1, 2], vec![4]];
    Ask::Choices { context: vec![9, 9], choices, n_chars: vec![1, 4], gold: 1 }
}

#[test]
fn choices_are_sums_of_their_own_tokens() {
    let trials = run(&Accuracy, battery(&choices(), &["full", "recent:4"]), 99).unwrap();
    assert_eq!(trials.iter().map(|trial| trial.turn).collect::<Vec<_>>(), [0, 1, 0, 1]);
    let Outcome::Choices(found) = &trials[3].items().unwrap().items[6].outcome else { panic!() };
    assert_eq!(found.logprobs, [-3.0, -4.0]);
    let value = |name: &str| {
        let metric = Accuracy.metrics().iter().find(|metric| metric.name() == name).unwrap();
        metric.of(&trials[0]).value
    };
    assert_eq!((value("acc"), value("acc_norm")), (Some(0.0), Some(1.0)));
    assert!(Accuracy.reads(&trials[0].measured) && !Retrieval.reads(&trials[0].measured));
}

#[test]
fn an_answer_ends_where_all_is_there_and_settings_are_compared() {
    let expected = vec!["yes".to_owned()];
    let ask = Ask::Answer { prompt: vec![1, 2, 3], kv_prompt: 2, max_tokens: 9, expected };
    let trials = run(&Retrieval, battery(&ask, &["full", "recent:4"]), 99).unwrap();
    let Outcome::Answer(found) = &trials[0].items().unwrap().items[0].outcome else { panic!() };
    assert_eq!(found.output, "oh YES");
    let document = Retrieval.document(&Run { trials, ..Run::default() }, &[]);
    let texts: Vec<String> = document.tables[2]
        .rows
        .iter()
        .map(|row| row.cells.iter().map(|cell| cell.text() + " ").collect())
        .collect();
    assert_eq!(texts[0], "recent:4 a recall -100.0 -100.0 -100.0 0.0156 7 worse ");
    assert_eq!(texts[2], "recent:4 all recall -100.0 -100.0 -100.0 0.0001 14 worse ");
    assert_eq!(texts.len(), 3);
}

#[test]
fn what_was_measured_before_the_end_is_kept() {
    let cut = run(&Accuracy, battery(&choices(), &["full", "recent:4"]), 5).unwrap_err();
    assert_eq!(cut.error, BenchError::Interrupted);
    let n = |trial: &Trial| trial.items().unwrap().items.len();
    assert_eq!(cut.partial.iter().map(n).collect::<Vec<_>>(), [3, 2]);
    let run_of = Run { trials: cut.partial, ..Run::default() };
    assert!(Accuracy.notes(&run_of)[0].contains("a, full 3 of 7; a, recent:4 2 of 7"));
    let cut = run(&Accuracy, battery(&choices(), &["full", "bad"]), 99).unwrap_err();
    assert_eq!((cut.partial.len(), n(&cut.partial[0])), (1, 1));
    assert!(matches!(cut.error, BenchError::Backend(_)));
}
