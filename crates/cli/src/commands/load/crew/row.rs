//! One row of a load that workers send: prepared by all, clocks read, begun together, and what came of it
//! put together.

use super::hand::{Hand, Heard};
use super::message::{Order, Word};
use super::{Crew, LOOK};
use crate::commands::load::progress::Progress;
use crate::interrupt;
use anyhow::{Context, Result, anyhow, bail};
use pacemark_load::clock::now_ns;
use pacemark_load::plan::Level;
use pacemark_load::{Bounds, Live, Watch};
use pacemark_record::pool::{Part, pool};
use pacemark_record::{Offset, Run, SCHEMA, Sender, Trial};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Questions for a worker's clock before each row.
const QUESTIONS: u64 = 20;

/// From saying it to the beginning: every worker has heard it by then.
const HEAD_START_NS: u64 = 200_000_000;

/// A worker that is asked or at work and says nothing for so long is lost.
const SILENCE: Duration = Duration::from_secs(30);

/// What became of a worker's row.
enum Fate {
    Working,
    Done(Option<Box<Trial>>),
    Lost(String),
}

impl Crew {
    /// Measures row number `row` at `level`, of the whole load; `None` where it was stopped before a
    /// request had ended. The second is what ended workers: what the others measured is in the
    /// first.
    pub(in super::super) fn measure(
        &mut self,
        level: Level,
        row: u64,
        progress: &mut Progress,
    ) -> Result<(Option<Trial>, Option<anyhow::Error>)> {
        let at = match level {
            Level::Streams(n) => Some(n as f64),
            Level::Rate(rate) => Some(rate).filter(|rate| rate.is_finite()),
            Level::Ramp(_) | Level::Trace => None,
        };
        progress.begin(&level.name(), Bounds::default());
        for hand in &mut self.hands {
            hand.live = [0; 4];
            hand.tell(&Order::Row { at, row });
        }
        let Some(mut fates) = self.all_ready()? else { return Ok((None, None)) };
        self.clocks()?;
        let go_ns = now_ns() + HEAD_START_NS;
        for hand in &mut self.hands {
            let ahead = hand.offset.map_or(0, |offset| offset.offset_ns);
            let at_ns = (i128::from(go_ns) + i128::from(ahead)).clamp(1, u64::MAX.into()) as u64;
            hand.tell(&Order::Go { at_ns });
        }
        self.all_done(&mut fates, progress);
        self.together(fates)
    }

    /// Waits until each has its prompts; `None` where it was stopped meanwhile.
    fn all_ready(&mut self) -> Result<Option<Vec<Fate>>> {
        let mut ready = vec![false; self.hands.len()];
        let mut told: Option<Instant> = None;
        while ready.contains(&false) {
            if interrupt::flag().load(Relaxed) && told.is_none() {
                told = Some(Instant::now());
                self.hands.iter_mut().for_each(|hand| hand.tell(&Order::Stop));
            }
            // Whoever does not stop is ended with the others.
            if told.is_some_and(|told| told.elapsed() > SILENCE) {
                return Ok(None);
            }
            let Ok((i, _, heard)) = self.heard.recv_timeout(LOOK) else { continue };
            let hand = &mut self.hands[i];
            match heard {
                Heard::Word(Word::Ready) => ready[i] = true,
                // It was stopped before it was ready.
                Heard::Word(Word::Row(_)) if told.is_some() => ready[i] = true,
                Heard::Word(Word::Failed(why)) => bail!("worker {}: {why}", hand.name),
                Heard::Gone(why) => {
                    let said = hand.obituary(why);
                    bail!("worker {} died before the row began: {said}", hand.name);
                }
                Heard::Word(_) => {}
            }
        }
        Ok(told.is_none().then(|| ready.iter().map(|_| Fate::Working).collect()))
    }

    /// Asks every clock, one worker after the other, while all wait.
    fn clocks(&mut self) -> Result<()> {
        for i in 0..self.hands.len() {
            let mut questions = Vec::new();
            for id in 0..QUESTIONS {
                let asked_ns = now_ns();
                self.hands[i].tell(&Order::Ask(id));
                let until = Instant::now() + SILENCE;
                let (at_ns, known_ns) = loop {
                    match self.heard.recv_timeout(LOOK) {
                        Ok((who, known_ns, Heard::Word(Word::Clock { id: said, at_ns })))
                            if who == i && said == id =>
                        {
                            break (at_ns, known_ns);
                        }
                        Ok((who, _, Heard::Word(Word::Failed(why)))) => {
                            bail!("worker {}: {why}", self.hands[who].name)
                        }
                        Ok((who, _, Heard::Gone(why))) => {
                            let hand = &mut self.hands[who];
                            let said = hand.obituary(why);
                            bail!("worker {} died before the row began: {said}", hand.name);
                        }
                        _ if Instant::now() > until => {
                            bail!("worker {}: its clock says nothing", self.hands[i].name)
                        }
                        _ => {}
                    }
                };
                questions.push((asked_ns, at_ns, known_ns));
            }
            self.hands[i].offset = Offset::of_round_trips(&questions);
        }
        // Those that were asked first were silent while the others were.
        self.hands.iter().for_each(Hand::excuse);
        Ok(())
    }

    /// Waits for every row, or for the end of who was to send it.
    fn all_done(&mut self, fates: &mut [Fate], progress: &mut Progress) {
        let began = Instant::now();
        let mut told = false;
        while fates.iter().any(|fate| matches!(fate, Fate::Working)) {
            if interrupt::flag().load(Relaxed) && !std::mem::replace(&mut told, true) {
                self.hands.iter_mut().for_each(|hand| hand.tell(&Order::Stop));
            }
            let heard = self.heard.recv_timeout(LOOK);
            for (hand, fate) in self.hands.iter_mut().zip(fates.iter_mut()) {
                if matches!(fate, Fate::Working) && hand.silent() > SILENCE {
                    let why = format!("it said nothing for {} s", SILENCE.as_secs());
                    *fate = Fate::Lost(hand.obituary(Some(why)));
                }
            }
            let Ok((i, _, heard)) = heard else { continue };
            let hand = &mut self.hands[i];
            match heard {
                Heard::Word(Word::Row(trial)) => fates[i] = Fate::Done(trial),
                Heard::Word(Word::Failed(why)) => fates[i] = Fate::Lost(why),
                Heard::Word(Word::Live { in_flight, done, failed, frames, .. }) => {
                    hand.live = [done, failed, in_flight, frames];
                    progress.tick(&self.live(began));
                }
                Heard::Gone(why) if matches!(fates[i], Fate::Working) => {
                    fates[i] = Fate::Lost(hand.obituary(why));
                }
                Heard::Word(_) | Heard::Gone(_) => {}
            }
        }
    }

    /// How all go together. Percentiles of several are none of the whole, so there are none.
    fn live(&self, began: Instant) -> Live {
        let sum = |i: usize| self.hands.iter().map(|hand| hand.live[i]).sum();
        Live {
            elapsed: began.elapsed(),
            done: sum(0),
            failed: sum(1),
            in_flight: sum(2),
            frames: sum(3),
            ttft_p50_ms: None,
        }
    }

    /// One row of all that there is, and what is missing of it.
    fn together(&self, fates: Vec<Fate>) -> Result<(Option<Trial>, Option<anyhow::Error>)> {
        let (mut parts, mut lost) = (Vec::new(), Vec::new());
        let of = self.hands.len();
        for (i, (hand, fate)) in self.hands.iter().zip(fates).enumerate() {
            match fate {
                Fate::Done(Some(trial)) => {
                    let (name, env, trials) = (hand.name.clone(), hand.env.clone(), vec![*trial]);
                    let run = Run { schema: SCHEMA, env, trials, ..Run::default() };
                    parts.push(Part { sender: name.clone(), name, run, offset: hand.offset });
                }
                Fate::Done(None) | Fate::Working => {}
                Fate::Lost(why) => {
                    let [done, failed, ..] = hand.live;
                    let missing = format!(
                        "died: {why}; missing: its share {}/{of} of the row, of which it had last told of {done} answers and {failed} failures",
                        i + 1
                    );
                    lost.push((hand, missing));
                }
            }
        }
        let sentence =
            |(hand, missing): &(&Hand, String)| format!("worker {} {missing}", hand.name);
        let said: Vec<String> = lost.iter().map(sentence).collect();
        let error = (!said.is_empty()).then(|| anyhow!(said.join("; ")));
        if parts.is_empty() {
            return Ok((None, error));
        }
        let mut trial = pool(&parts)?.pop().context("a row was put together")?;
        trial.params.insert("seed".to_owned(), self.seed.into());
        trial.params.insert("nonce".to_owned(), self.nonce.into());
        trial.notes.extend(said);
        if let Some(load) = trial.load_mut() {
            let senders = lost.into_iter().map(|(hand, missing)| Sender {
                name: hand.name.clone(),
                machine: hand.env.machine(),
                build: format!("{} {}", hand.env.version, hand.env.commit),
                clock: None,
                began_ns: 0,
                params: serde_json::Map::new(),
                client: None,
                lost: Some(missing),
            });
            load.senders.extend(senders);
        }
        Ok((Some(trial), error))
    }
}
