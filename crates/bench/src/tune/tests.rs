//! A search with settings whose runs are made up: what is asked of whom, in which order, and what is
//! said of it.

use super::testing::sample;
use super::*;
use crate::{Observer, Repetitions, Silent, Warmups};
use pacemark_record::{Apart, Chunk, Fate, Scores};

/// Times to the first token of each setting, the same each time but for a thousandth.
struct Scripted {
    ttft_ms: Vec<u64>,
    /// Divergence of each.
    kld: Vec<f32>,
    /// `0`, `1`, … for runs, `d1` for distances.
    asked: String,
    /// The last setting waits so long in every fourth run.
    at_times_ms: Option<u64>,
    /// After so many runs the command is interrupted.
    ends_after: usize,
    n_runs: usize,
}

impl Candidates for Scripted {
    fn run(&mut self, index: usize, number: usize) -> Result<Ran, BenchError> {
        if self.n_runs == self.ends_after {
            return Err(BenchError::Interrupted);
        }
        self.n_runs += 1;
        self.asked += &index.to_string();
        // Another wobble for each setting, or there would be no spread.
        let wobble = [0, 1, 0, 2][(number + index) % 4];
        let mut sample = sample(self.ttft_ms[index]);
        sample.elapsed_ns += sample.elapsed_ns / 1000 * wobble;
        if index + 1 == self.ttft_ms.len() && number % 4 == 3 {
            sample.ttft_ns = self.at_times_ms.map(|ms| ms * 1_000_000).or(sample.ttft_ns);
        }
        Ok(Ran { sample, peak_rss_bytes: Some(7 + number as u64), ..Ran::default() })
    }

    fn distances(&mut self, index: usize, _: &mut How<'_>) -> Result<Distances, BenchError> {
        self.asked += &format!("d{index}");
        let apart = Apart { kld: vec![self.kld[index]; 4], same_top: vec![true; 4] };
        let scores = Scores { chunks: vec![Chunk::default(); 5], ..Scores::default() };
        Ok(Distances { candidate: scores.clone(), reference: scores, apart: vec![apart; 5] })
    }
}

fn scripted(ttft_ms: &[u64]) -> Scripted {
    let kld = vec![0.0, 0.01, 0.5];
    let (ttft_ms, asked) = (ttft_ms.into(), String::new());
    Scripted { ttft_ms, kld, asked, at_times_ms: None, ends_after: 9999, n_runs: 0 }
}

fn search(n: usize, aims: &[&str]) -> Search {
    let names = ["default", "-t 1", "-t 1 -ub 64", "-ub 64"];
    let setting = |(index, name): (usize, &&str)| Setting {
        name: (*name).to_owned(),
        n_changes: if index == 0 { 0 } else { name.split(" -").count() },
        command: format!("pacemark bench {name}"),
        ..Setting::default()
    };
    let settings = names[..n].iter().enumerate().map(setting).collect();
    let aims = aims.iter().map(|aim| aim.parse().unwrap()).collect();
    let rules = Rules { aims, max_rounds: 12, ..Rules::default() };
    let params = [("n_prompt", 100), ("n_gen", 9)];
    let params = params.map(|(name, value)| (name.to_owned(), value.into()));
    Search { settings, rules, params: params.into_iter().collect(), ..Search::default() }
}

fn measure(
    search: &Search,
    who: &mut Scripted,
    observer: &mut dyn Observer,
) -> Result<Vec<Trial>, CutShort> {
    let mut how = How {
        repetitions: Repetitions::exactly(1),
        warmup: Warmups::None,
        seed: 0,
        observer,
        stop: &AtomicBool::new(false),
    };
    let case = Case::Search(Box::new(search.clone()));
    Tune.measure(&case, &mut Subject::Settings(who), &mut how)
}

fn fates(trials: &[Trial]) -> Vec<Fate> {
    trials.iter().map(|trial| trial.tuned().unwrap().fate).collect()
}

#[test]
fn the_best_wins_and_is_confirmed_in_runs_of_its_own() {
    let mut who = scripted(&[100, 90, 120]);
    let search = Search { confirm: Some(6), ..search(3, &[]) };
    let trials = measure(&search, &mut who, &mut Silent).unwrap();
    assert_eq!(fates(&trials[..3]), [Fate::Worse, Fate::Won, Fate::Worse]);
    assert!(who.asked.starts_with("012210012210012210"), "{}", who.asked);
    assert!(who.asked.ends_with("011001100110"), "{}", who.asked);
    assert_eq!((trials.len(), trials[4].samples().len(), trials[4].turn), (5, 6, 1));
    let found = outcome(&trials);
    assert_eq!((found.verdict, found.recommended), (Verdict::Winner, Some(1)));
    assert!(
        found.reason.contains("-t 1 is the only one left of 3 settings; its throughput is 1.11"),
        "{}",
        found.reason
    );
    assert!(trials.iter().all(|trial| trial.peak_rss_bytes.is_some()));
}

#[test]
fn a_default_that_wins_is_confirmed_against_the_next_best() {
    let mut who = scripted(&[90, 130, 100]);
    let search = Search { confirm: Some(6), ..search(3, &[]) };
    let trials = measure(&search, &mut who, &mut Silent).unwrap();
    assert_eq!(fates(&trials[..3]), [Fate::Won, Fate::Worse, Fate::Worse]);
    assert!(who.asked.ends_with("200220022002"), "{}", who.asked);
    assert_eq!((trials.len(), name(&trials[3])), (5, name(&trials[2])));
}

#[test]
fn equals_are_no_winners_and_the_default_stays() {
    let search_two = Search { confirm: Some(6), ..search(2, &[]) };
    let trials = measure(&search_two, &mut scripted(&[100, 100]), &mut Silent).unwrap();
    assert_eq!(fates(&trials), [Fate::Even; 2]);
    let found = outcome(&trials);
    assert_eq!((found.verdict, found.recommended), (Verdict::NoDifference, Some(0)));
    for words in ["no difference is shown between 2", "below --resolution", "it changes nothing"] {
        assert!(found.reason.contains(words), "{words}: {}", found.reason);
    }
    // Of those that are left the one that changes least.
    let trials =
        measure(&search(4, &[]), &mut scripted(&[120, 130, 100, 100]), &mut Silent).unwrap();
    let found = outcome(&trials);
    assert_eq!((found.verdict, found.recommended), (Verdict::NoDifference, Some(3)));
    assert!(found.reason.contains("-ub 64 is recommended: of these"), "{}", found.reason);
}

#[test]
fn who_misses_a_target_beats_nobody() {
    // The fastest has the longest wait only by its own share: it is dropped, and the next wins.
    let trials =
        measure(&search(3, &["ttft_ms.p95<95"]), &mut scripted(&[94, 110, 90]), &mut Silent)
            .unwrap();
    assert_eq!(fates(&trials), [Fate::Worse, Fate::Missed, Fate::Won]);
    // Its percentile takes 59 runs: those after the rounds are nobody's pair.
    let won = trials[2].tuned().unwrap();
    assert!(won.samples.len() >= 59 && won.of_rounds().count() < 59, "{}", won.samples.len());
    assert!(outcome(&trials).not_met.is_empty(), "{:?}", outcome(&trials).not_met);
}

#[test]
fn who_was_beaten_by_one_that_misses_is_back() {
    let mut who = scripted(&[100, 90]);
    who.at_times_ms = Some(120);
    let trials = measure(&search(2, &["ttft_ms.p95<110"]), &mut who, &mut Silent).unwrap();
    assert_eq!(fates(&trials), [Fate::Won, Fate::Missed]);
    assert!(trials[1].tuned().unwrap().of_rounds().count() < trials[1].samples().len());
}

#[test]
fn where_none_meets_the_target_the_nearest_is_told() {
    let trials =
        measure(&search(3, &["ttft_ms.p95<50"]), &mut scripted(&[100, 90, 120]), &mut Silent)
            .unwrap();
    assert_eq!(fates(&trials), [Fate::Missed; 3]);
    let found = outcome(&trials);
    assert_eq!(
        (found.verdict, found.recommended, found.not_met.len()),
        (Verdict::NoneMeets, None, 1)
    );
    let said =
        "-t 1 is nearest: ttft_ms.p95<50: 6 of 6 values beyond it, median 90.00 (1.800 times";
    assert!(found.reason.contains(said), "{}", found.reason);
}

#[test]
fn answers_that_are_too_far_are_dropped_and_those_of_one_kind_compared_once() {
    let mut search = search(3, &[]);
    search.has_quality = true;
    (search.settings[1].answers, search.settings[2].answers) = (1, 1);
    let mut who = scripted(&[100, 90, 80]);
    let trials = measure(&search, &mut who, &mut Silent).unwrap();
    assert!(who.asked.starts_with("d1012"), "{}", who.asked);
    assert_eq!(fates(&trials), [Fate::Worse, Fate::Worse, Fate::Won]);
    search.settings[2].answers = 2;
    let mut who = scripted(&[100, 90, 80]);
    let trials = measure(&search, &mut who, &mut Silent).unwrap();
    assert!(who.asked.starts_with("d1d2012"), "{}", who.asked);
    assert_eq!(fates(&trials), [Fate::Worse, Fate::Won, Fate::TooFar]);
    assert_eq!(trials[2].samples().len(), 6, "measured, so that one sees what it would give");
}

#[test]
fn an_interrupt_keeps_what_was_measured_and_decides_nothing() {
    let mut who = scripted(&[100, 90, 120]);
    who.ends_after = 8;
    let cut = measure(&search(3, &[]), &mut who, &mut Silent).unwrap_err();
    let n: Vec<usize> = cut.partial.iter().map(|trial| trial.samples().len()).collect();
    assert_eq!((n, cut.error), (vec![3, 3, 2], BenchError::Interrupted));
    let found = outcome(&cut.partial);
    assert_eq!((found.verdict, found.recommended), (Verdict::NotOver, None));
    assert!(found.reason.contains("after 3 rounds 3 still in it"), "{}", found.reason);
}

#[test]
fn no_time_is_not_over() {
    let mut search = search(2, &[]);
    search.rules.max_time = std::time::Duration::ZERO;
    let trials = measure(&search, &mut scripted(&[100, 90]), &mut Silent).unwrap();
    assert_eq!(trials.len(), 0, "nothing was run");
    assert_eq!(outcome(&trials).verdict, Verdict::NotOver);
}

#[test]
fn rounds_are_told_to_who_watches() {
    struct Rounds(Vec<usize>);
    impl Observer for Rounds {
        fn round(&mut self, trials: &[Trial]) {
            self.0.push(trials.iter().map(|trial| trial.samples().len()).sum());
        }
    }
    let mut rounds = Rounds(Vec::new());
    measure(&search(2, &[]), &mut scripted(&[100, 50]), &mut rounds).unwrap();
    assert_eq!(rounds.0[..4], [2, 4, 6, 8]);
}
