//! What computing on other machines took: raw, per repetition and worker, and where the time of a
//! trial went by it.

use crate::{Measured, Trial, stats};
use serde::{Deserialize, Serialize};

/// A worker on another machine, and the way to it as it was measured before it was used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// `host:port`.
    pub name: String,
    /// Time of a small command and its answer, nanoseconds: the median.
    pub round_trip_ns: u64,
    /// To it, bytes a second.
    pub sent_bytes_per_s: f64,
    /// From it, bytes a second.
    pub received_bytes_per_s: f64,
}

/// What a repetition, or a request, used other machines for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Away {
    /// Time in which at least one worker had its turn, nanoseconds. What is not in it was computed
    /// here.
    pub away_ns: u64,
    /// What each did, in the order of [`Trial::workers`].
    pub workers: Vec<Turns>,
}

/// What one worker did in a repetition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Turns {
    /// Bytes to it.
    pub sent_bytes: u64,
    /// Bytes from it.
    pub received_bytes: u64,
    /// Commands that were answered: as often the caller waited for the way there and back.
    pub round_trips: u64,
    /// Graphs that it computed.
    pub graphs: u64,
    /// Time of its turns, from the first byte to it to the last byte back, nanoseconds.
    pub turn_ns: u64,
    /// Of that, what it took to compute by its own clock; `None` for workers that do not tell.
    pub computing_ns: Option<u64>,
}

impl Worker {
    /// What its link takes for so many round trips, one after the other, and so many bytes,
    /// nanoseconds: round trips × latency + bytes / bandwidth. `None` where the link's figures are
    /// none.
    pub fn link_ns(&self, round_trips: f64, sent_bytes: f64, received_bytes: f64) -> Option<f64> {
        let moving_s =
            sent_bytes / self.sent_bytes_per_s + received_bytes / self.received_bytes_per_s;
        let ns = round_trips * self.round_trip_ns as f64 + moving_s * 1e9;
        (ns.is_finite() && ns >= 0.0).then_some(ns)
    }
}

/// Where the time of a repetition went, the mean over a trial's repetitions, nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Spent {
    /// All of it.
    pub elapsed_ns: f64,
    /// What was computed here: all time in which no worker had its turn.
    pub here_ns: f64,
    /// What each worker took, in the order of [`Trial::workers`].
    pub workers: Vec<SpentAway>,
}

/// The same of one worker.
#[derive(Clone, Debug, PartialEq)]
pub struct SpentAway {
    /// Of its turns, what it computed by its own clock; `None` where it does not tell.
    pub computing_ns: Option<f64>,
    /// Of its turns, the rest: the way there and back.
    pub network_ns: Option<f64>,
    /// What the way should take by the link's latency and bandwidth, which were measured before.
    pub link_ns: Option<f64>,
    /// All of its turns.
    pub turn_ns: f64,
    /// To it and from it, bytes.
    pub sent_bytes: f64,
    /// From it, bytes.
    pub received_bytes: f64,
    /// Commands that were answered.
    pub round_trips: f64,
}

impl Spent {
    /// Where a trial's time went; `None` where nothing was computed elsewhere.
    pub fn of(trial: &Trial) -> Option<Spent> {
        let elapsed: Vec<u64> = match &trial.measured {
            Measured::Repetitions { samples } => samples.iter().map(|s| s.elapsed_ns).collect(),
            _ => trial.generation().and_then(|request| request.e2e_ns()).into_iter().collect(),
        };
        let known: Vec<(u64, &Away)> = elapsed
            .into_iter()
            .zip(&trial.away)
            .filter(|(_, away)| away.workers.len() == trial.workers.len())
            .collect();
        let mean = |of: &dyn Fn(u64, &Away) -> f64| {
            stats::mean(&known.iter().map(|(ns, away)| of(*ns, away)).collect::<Vec<f64>>())
        };
        let elapsed_ns = mean(&|elapsed, _| elapsed as f64)?;
        let here_ns = mean(&|elapsed, away| elapsed.saturating_sub(away.away_ns) as f64)?;
        let worker = |(i, worker): (usize, &Worker)| {
            let of = |get: &dyn Fn(&Turns) -> f64| mean(&|_, away| get(&away.workers[i]));
            let tells = known.iter().all(|(_, away)| away.workers[i].computing_ns.is_some());
            let turn_ns = of(&|turns| turns.turn_ns as f64)?;
            let computing_ns =
                of(&|turns| turns.computing_ns.unwrap_or(0) as f64).filter(|_| tells);
            let (sent_bytes, received_bytes, round_trips) = (
                of(&|turns| turns.sent_bytes as f64)?,
                of(&|turns| turns.received_bytes as f64)?,
                of(&|turns| turns.round_trips as f64)?,
            );
            Some(SpentAway {
                computing_ns,
                network_ns: computing_ns.map(|computing| (turn_ns - computing).max(0.0)),
                link_ns: worker.link_ns(round_trips, sent_bytes, received_bytes),
                turn_ns,
                sent_bytes,
                received_bytes,
                round_trips,
            })
        };
        let workers = trial.workers.iter().enumerate().map(worker).collect::<Option<Vec<_>>>()?;
        // Workers that were there and had nothing to do cost nothing.
        let used = workers.iter().any(|worker: &SpentAway| worker.round_trips > 0.0);
        used.then_some(Spent { elapsed_ns, here_ns, workers })
    }

    /// What all workers computed, where all tell.
    pub fn computing_ns(&self) -> Option<f64> {
        self.workers.iter().map(|worker| worker.computing_ns).sum()
    }

    /// What the way to all of them took, where all tell.
    pub fn network_ns(&self) -> Option<f64> {
        self.workers.iter().map(|worker| worker.network_ns).sum()
    }

    /// The same by the links.
    pub fn link_ns(&self) -> Option<f64> {
        self.workers.iter().map(|worker| worker.link_ns).sum()
    }

    /// What is known each by itself, together: computed here, computed by workers, and the way by
    /// the links' latency and bandwidth. Beside `elapsed_ns` it tells how much is explained.
    pub fn explained_ns(&self) -> Option<f64> {
        Some(self.here_ns + self.computing_ns()? + self.link_ns()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;

    fn trial(computing_ns: Option<u64>) -> Trial {
        let turns = Turns {
            sent_bytes: 1000,
            received_bytes: 500,
            round_trips: 2,
            graphs: 1,
            turn_ns: 60,
            computing_ns,
        };
        let sample = Sample { elapsed_ns: 100, ..Sample::default() };
        let away = Away { away_ns: 60, workers: vec![turns] };
        let worker = Worker {
            name: "a:1".into(),
            round_trip_ns: 5,
            sent_bytes_per_s: 1e12,
            received_bytes_per_s: 0.5e12,
        };
        Trial {
            measured: Measured::Repetitions { samples: vec![sample; 3] },
            workers: vec![worker],
            away: vec![away; 3],
            ..Trial::default()
        }
    }

    #[test]
    fn time_is_here_at_workers_or_on_the_way() {
        let spent = Spent::of(&trial(Some(45))).unwrap();
        assert_eq!((spent.elapsed_ns, spent.here_ns), (100.0, 40.0));
        assert_eq!((spent.computing_ns(), spent.network_ns()), (Some(45.0), Some(15.0)));
        // 2 x 5 ns, 1000 bytes at 1000 bytes a nanosecond, 500 at 500.
        assert_eq!((spent.link_ns(), spent.explained_ns()), (Some(12.0), Some(97.0)));
    }

    #[test]
    fn what_a_worker_does_not_tell_is_not_known() {
        let spent = Spent::of(&trial(None)).unwrap();
        assert_eq!((spent.computing_ns(), spent.network_ns()), (None, None));
        assert_eq!((spent.link_ns(), spent.explained_ns()), (Some(12.0), None));
    }

    #[test]
    fn records_that_do_not_fit_together_are_not_summed() {
        let mut other = trial(Some(1));
        other.workers.clear();
        assert_eq!(Spent::of(&other), None);
        let mut dead = trial(Some(1));
        dead.workers[0].sent_bytes_per_s = 0.0;
        assert_eq!(Spent::of(&dead).unwrap().link_ns(), None);
    }
}
