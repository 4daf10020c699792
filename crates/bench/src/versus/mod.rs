//! Engines compared: one model and one workload under many engines and settings, for what each takes to
//! load and to run, how fast it is alone and with several sequences at once, and how well it predicts a
//! text.
//!
//! Runs are in fresh processes and in turn, every other round the other way (metrics.md, rules 5 and 7);
//! perplexity is measured once. Processes, engines and texts are the caller's ([`Contenders`]). An engine
//! that fails has no figures from then on and says why; the others go on.

mod fair;
mod figures;
mod page;
mod picture;
#[cfg(test)]
pub(crate) mod testing;

use crate::experiment::{Case, How, Subject, metric_of, mismatch};
use crate::parameter::{N_GEN, N_PROMPT};
use crate::repeat::{CutShort, filled, in_turns, now_unix_s};
use crate::{BenchError, Experiment, Params, Phase};
pub use fair::{TERMS, Unequal, unequal};
use pacemark_record::{
    Contender, EngineRun, Measured, Metric, Model, Roof, Run, Scores, Series, Trial,
};
use pacemark_report::picture::{Legend, Panel};
use pacemark_report::{Document, Form, layout};
pub use picture::panels;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

/// Engines, compared.
pub struct Versus;

/// What is compared, and by what.
#[derive(Clone, Debug, Default)]
pub struct Bout {
    /// Each engine's name in the comparison, the baseline first.
    pub names: Vec<String>,
    /// The model, as it was asked for.
    pub model: String,
    /// Tokens of the prompt of a run.
    pub n_prompt: usize,
    /// Tokens generated after the first.
    pub n_gen: usize,
    /// Sequences at once; fewer than 2 for none.
    pub n_together: usize,
    /// Where the random prompts of the first round begin, and one further each round.
    pub seed: u64,
    /// Tokens of a chunk of the text.
    pub n_ctx: usize,
    /// The text's name; `None` where no quality is measured.
    pub text: Option<String>,
}

/// A run of an engine, and what was learned of it.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// What ran.
    pub model: Model,
    /// What it took.
    pub run: EngineRun,
    /// [`Contender::terms`].
    pub terms: BTreeMap<String, String>,
    /// [`Contender::lacks`].
    pub lacks: BTreeMap<String, String>,
    /// [`Contender::warnings`].
    pub warnings: Vec<String>,
}

/// Who has the engines, by the number of each.
pub trait Contenders {
    /// Loads the model and runs it once, in a process of its own.
    fn run(&mut self, index: usize, round: usize) -> Result<Ran, BenchError>;

    /// How well it predicts the text, or why that cannot be told.
    fn scores(&mut self, index: usize) -> Result<Result<Scores, String>, BenchError>;

    /// What the machine allows at this moment; `None` where nobody looks.
    fn roof(&mut self) -> Result<Option<Roof>, BenchError>;
}

/// Recorded parameters that no other experiment has.
const ENGINE: &str = "contender";
/// Sequences at once.
const N_TOGETHER: &str = "n_together";
/// What lacks a reason is the perplexity's.
const PPL: &str = "ppl";

impl Bout {
    fn params(&self, name: &str) -> Params {
        let recorded: [(&str, Value); 8] = [
            (ENGINE, name.into()),
            ("model", self.model.as_str().into()),
            (N_PROMPT.name, self.n_prompt.into()),
            (N_GEN.name, self.n_gen.into()),
            (N_TOGETHER, self.n_together.into()),
            ("seed", self.seed.into()),
            ("n_ctx", self.n_ctx.into()),
            ("file", self.text.as_deref().into()),
        ];
        recorded.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn trials(&self, n_rounds: usize) -> Vec<Trial> {
        let trial = |(turn, name): (usize, &String)| Trial {
            experiment: Versus.name().to_owned(),
            started_unix_s: now_unix_s(),
            params: self.params(name),
            repetitions: n_rounds,
            turn: turn as u64,
            measured: Measured::Contender(Box::default()),
            ..Trial::default()
        };
        self.names.iter().enumerate().map(trial).collect()
    }

    /// Runs, round by round, then the text, into the trials.
    fn fill(
        &self,
        contenders: &mut dyn Contenders,
        trials: &mut [Trial],
        how: &mut How<'_>,
    ) -> Result<(), BenchError> {
        let mut roofs: Vec<Roof> = contenders.roof()?.into_iter().collect();
        for round in 1..=how.repetitions.least {
            how.observer.phase(Phase::Repetition(round));
            for index in in_turns(round, trials.len()) {
                if failure(&trials[index]).is_some() {
                    continue;
                }
                self.begin(index, how)?;
                let ran = contenders.run(index, round);
                note(&mut trials[index], ran)?;
            }
            roofs.extend(contenders.roof()?);
            trials.iter_mut().for_each(|trial| trial.roofs.clone_from(&roofs));
            how.observer.round(trials);
        }
        if self.text.is_none() {
            return Ok(());
        }
        for (index, trial) in trials.iter_mut().enumerate() {
            if failure(trial).is_some() {
                continue;
            }
            self.begin(index, how)?;
            let scores = match contenders.scores(index) {
                Err(BenchError::Interrupted) => return Err(BenchError::Interrupted),
                Err(error) => Err(error.to_string()),
                Ok(scores) => scores,
            };
            let Some(of) = trial.contender_mut() else { continue };
            match scores {
                Ok(scores) => of.scores = Some(scores),
                Err(why) => drop(of.lacks.insert(PPL.to_owned(), why)),
            }
        }
        Ok(())
    }

    fn begin(&self, index: usize, how: &mut How<'_>) -> Result<(), BenchError> {
        if how.stop.load(Relaxed) {
            return Err(BenchError::Interrupted);
        }
        how.observer.turn(&self.names[index]);
        Ok(())
    }
}

/// Adds a run to what there is of its engine. An interrupt is nobody's failure.
fn note(trial: &mut Trial, ran: Result<Ran, BenchError>) -> Result<(), BenchError> {
    let Some(of) = trial.contender_mut() else { return Ok(()) };
    match ran {
        Ok(ran) => {
            join(of, ran.terms);
            of.runs.push(ran.run);
            of.lacks.extend(ran.lacks);
            for warning in ran.warnings {
                if !of.warnings.contains(&warning) {
                    of.warnings.push(warning);
                }
            }
            trial.model = ran.model;
        }
        Err(BenchError::Interrupted) => return Err(BenchError::Interrupted),
        Err(error) => of.failure = Some(error.to_string()),
    }
    Ok(())
}

/// Adds the terms of a run to those of the runs before: what differs among them stands as each.
fn join(of: &mut Contender, run: BTreeMap<String, String>) {
    if of.runs.is_empty() {
        of.terms = run;
        return;
    }
    const UNKNOWN: &str = "-";
    let names: BTreeSet<String> = of.terms.keys().chain(run.keys()).cloned().collect();
    for name in names {
        let value = run.get(&name).map_or(UNKNOWN, String::as_str);
        let all = of.terms.entry(name).or_insert_with(|| UNKNOWN.to_owned());
        if !all.split(OR).any(|known| known == value) {
            *all += OR;
            *all += value;
        }
    }
}

/// Between values of a term that was not the same in all runs.
const OR: &str = " or ";

/// An engine's name in the comparison.
pub(super) fn name(trial: &Trial) -> &str {
    trial.params.get(ENGINE).and_then(Value::as_str).unwrap_or("-")
}

/// How often an engine ran.
pub(super) fn n_runs(trial: &Trial) -> usize {
    trial.contender().map_or(0, |of: &Contender| of.runs.len())
}

/// Why an engine was not measured, or not to the end.
pub fn failure(trial: &Trial) -> Option<&str> {
    trial.contender()?.failure.as_deref()
}

impl Experiment for Versus {
    fn name(&self) -> &'static str {
        "versus"
    }

    fn help(&self) -> &'static str {
        "engines side by side: speed, memory, loading and answers of one model"
    }

    /// An interrupt keeps what was measured until then.
    fn measure(
        &self,
        case: &Case,
        subject: &mut Subject<'_>,
        how: &mut How<'_>,
    ) -> Result<Vec<Trial>, CutShort> {
        let (Case::Bout(bout), Subject::Contenders(contenders)) = (case, subject) else {
            return Err(mismatch(self));
        };
        filled(bout.trials(how.repetitions.least), |trials| {
            bout.fill(&mut **contenders, trials, how)
        })
    }

    fn row_name(&self, _: &Run, trial: &Trial) -> String {
        name(trial).to_owned()
    }

    fn metrics(&self) -> &'static [Metric] {
        figures::METRICS
    }

    fn headline(&self) -> Option<&'static Metric> {
        metric_of(figures::METRICS, &figures::DECODE)
    }

    fn form(&self) -> &'static Form {
        &layout::VERSUS
    }

    fn compared(&self) -> &'static [&'static Series] {
        figures::COMPARED
    }

    fn compared_as(&self, trial: &Trial) -> Option<String> {
        Some(name(trial).to_owned())
    }

    fn reads(&self, measured: &Measured) -> bool {
        matches!(measured, Measured::Contender(_))
    }

    /// They are compared with each other.
    fn streams(&self) -> bool {
        false
    }

    fn notes(&self, run: &Run) -> Vec<String> {
        page::notes(run)
    }

    fn panels(&self, run: &Run) -> Vec<Panel> {
        panels(&run.trials).panels
    }

    fn legend(&self, run: &Run) -> Legend {
        Legend::of([panels(&run.trials)])
    }

    fn document(&self, run: &Run, _: &[&str]) -> Document {
        page::document(self, run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_of_all_runs() {
        let mut trial = testing::trial("a", 100.0, 20.0);
        trial.contender_mut().unwrap().runs.clear();
        let run = testing::trial("a", 100.0, 20.0).contender().unwrap().runs[0].clone();
        let ran = |output: &str, other: Option<&str>| Ran {
            run: run.clone(),
            terms: [("output tokens", Some(output)), ("threads", other)]
                .into_iter()
                .filter_map(|(term, value)| Some((term.to_owned(), value?.to_owned())))
                .collect(),
            warnings: vec![format!("told of {output}")],
            ..Ran::default()
        };
        for (output, threads) in
            [("40 of 65", Some("2")), ("65 of 65", None), ("65 of 65", Some("2"))]
        {
            note(&mut trial, Ok(ran(output, threads))).unwrap();
        }
        let of = trial.contender().unwrap();
        assert_eq!(of.terms["output tokens"], "40 of 65 or 65 of 65");
        assert_eq!(of.terms["threads"], "2 or -");
        assert_eq!(of.warnings, ["told of 40 of 65", "told of 65 of 65"]);
        assert_eq!(of.runs.len(), 3);
    }
}
