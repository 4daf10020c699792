//! What devices do while tests are repeated: an observer that marks beginning and end of each
//! counted repetition for the sampler, and puts what was sampled into the trials. How devices are
//! read is `devices`' matter, what the samples come to `record`'s.

mod doctor;
mod table;

use crate::repeat::in_turns;
use crate::{Observer, Phase, Test};
pub(crate) use doctor::told;
use pacemark_devices::{Course, Kind, Mark, Sampler};
use pacemark_record::{DeviceKind, DeviceSample, DeviceUse, Sample, Span, Trial, Warmup};
use std::ops::ControlFlow;
pub(crate) use table::table;

/// A card that was held back for less than this share of the samples was so by chance.
const HELD_BACK: f64 = 0.05;

/// Watches a measurement for another observer and has devices sampled meanwhile.
pub struct Metered<'o> {
    inner: &'o mut dyn Observer,
    sampler: &'o Sampler,
    /// The process that computes, of each of those that are measured in turn.
    pids: Vec<Option<u32>>,
    /// The round that is on, and how many of it are done.
    round: usize,
    n_done: usize,
    /// Whose repetition is on, and when it began.
    begun: Option<(usize, Mark)>,
    /// Counted repetitions of each.
    spans: Vec<Vec<(Mark, Mark)>>,
}

impl<'o> Metered<'o> {
    /// For `inner`, one measurement of as many things as there are `pids`: of each the process that
    /// computes, where it is known and on this machine.
    pub fn new(inner: &'o mut dyn Observer, sampler: &'o Sampler, pids: Vec<Option<u32>>) -> Self {
        sampler.of_process(if pids.len() == 1 { pids[0] } else { None });
        sampler.watch();
        let spans = vec![Vec::new(); pids.len()];
        Metered { inner, sampler, pids, round: 0, n_done: 0, begun: None, spans }
    }

    /// Ends sampling and adds to each trial what devices did in its repetitions.
    pub fn attach(self, trials: &mut [Trial]) {
        let courses = self.sampler.take();
        for trial in trials {
            let turn = trial.turn as usize;
            let Some(spans) = self.spans.get(turn) else { continue };
            let pid = self.pids[turn];
            // What two engines of one process hold cannot be told apart.
            let is_alone = self.pids.iter().filter(|other| **other == pid).count() == 1;
            let pid = pid.filter(|_| is_alone);
            let of = |(index, course): (usize, &Course)| device(index, course, spans, pid);
            trial.devices = courses.iter().enumerate().map(of).collect();
            let said: Vec<String> = trial.devices.iter().flat_map(notes).collect();
            trial.notes.extend(said);
        }
    }
}

/// A device in the repetitions of one trial.
fn device(index: usize, course: &Course, spans: &[(Mark, Mark)], pid: Option<u32>) -> DeviceUse {
    let span = |(from, to): &(Mark, Mark)| {
        let used = |mark: &Mark| mark.energies_j.get(index).copied().flatten();
        let energy_j = used(from).zip(used(to)).map(|(from, to)| to - from);
        Span { from_ns: from.at_ns, to_ns: to.at_ns, energy_j }
    };
    let repetitions: Vec<Span> = spans.iter().map(span).collect();
    // A mark is when its readings were done: that at the end is within, that at the beginning not.
    let mut next = 0;
    let counted = course.samples.iter().filter(|sample| {
        while repetitions.get(next).is_some_and(|span| span.to_ns < sample.t_ns) {
            next += 1;
        }
        repetitions.get(next).is_some_and(|span| span.from_ns <= sample.t_ns)
    });
    let samples = counted.map(|sample| DeviceSample {
        t_ns: sample.t_ns,
        utilisation: sample.reading.utilisation,
        memory_bytes: sample.reading.memory_bytes,
        power_w: sample.reading.power_w,
        clock_mhz: sample.reading.clock_mhz,
        memory_clock_mhz: sample.reading.memory_clock_mhz,
        energy_j: sample.reading.energy_j,
        throttled: sample.reading.throttled.clone(),
    });
    DeviceUse {
        name: course.identity.name.clone(),
        at: course.identity.at.clone(),
        kind: match course.identity.kind {
            Kind::Package => DeviceKind::Package,
            Kind::Graphics => DeviceKind::Graphics,
        },
        total_bytes: course.identity.total_bytes,
        samples: samples.collect(),
        repetitions,
        has_counter: course.has_counter,
        peak_process_bytes: pid.and_then(|pid| course.peak_process_bytes.get(&pid).copied()),
        lost: course.lost.clone(),
        reading_ns: course.reading_ns,
    }
}

/// What a reader should know of a device.
fn notes(device: &DeviceUse) -> Vec<String> {
    let name = &device.name;
    let lost = device.lost.as_ref().map(|why| format!("{name} cannot be read any more: {why}"));
    let held = device.throttled().filter(|(_, share)| *share >= HELD_BACK);
    let held = held.map(|(why, share)| {
        let percent = 100.0 * share;
        format!("{name} was held back in {percent:.0} % of the samples: {}", why.join("; "))
    });
    lost.into_iter().chain(held).collect()
}

impl Observer for Metered<'_> {
    fn trial_started(&mut self, test: &Test) {
        self.inner.trial_started(test);
    }

    fn turn(&mut self, backend: &str) {
        self.inner.turn(backend);
    }

    fn phase(&mut self, phase: Phase) {
        self.inner.phase(phase);
        let Phase::Repetition(round) = phase else { return };
        if round != self.round {
            (self.round, self.n_done) = (round, 0);
        }
        let turn = in_turns(round, self.pids.len()).get(self.n_done).copied();
        self.begun = turn.map(|turn| {
            self.sampler.of_process(self.pids[turn]);
            (turn, self.sampler.mark())
        });
    }

    fn warmed_up(&mut self, warmup: &Warmup) {
        self.inner.warmed_up(warmup);
    }

    fn sample(&mut self, sample: &Sample) {
        if let Some((turn, begun)) = self.begun.take() {
            self.spans[turn].push((begun, self.sampler.mark()));
            self.n_done += 1;
        }
        self.inner.sample(sample);
    }

    fn round(&mut self, trials: &[Trial]) {
        self.inner.round(trials);
    }

    fn trial_finished(&mut self, trial: &Trial) {
        self.inner.trial_finished(trial);
    }

    fn text(&mut self, text: &str) -> ControlFlow<()> {
        self.inner.text(text)
    }

    fn computed(&mut self, done: usize, of: usize) {
        self.inner.computed(done, of);
    }

    fn chunk(&mut self, done: usize, of: usize, running: f64) {
        self.inner.chunk(done, of, running);
    }
}

#[cfg(test)]
mod tests;
