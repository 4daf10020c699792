//! Workers of one load: started, prepared, begun at the same moment, and their records put together.
//! What each sends is `worker`'s; how a process is held is `hand`'s; how a row goes is
//! `row`'s.

mod hand;
mod message;
mod place;
mod row;
mod worker;

use super::Args;
use crate::interrupt;
use anyhow::{Result, anyhow, bail};
use hand::{Hand, Heard};
use message::{Order, Preparation, Word};
use pacemark_load::plan::fresh_nonce;
pub(super) use place::{Place, place};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
pub(crate) use worker::run as work;

/// How long a worker may take to be there.
const ARRIVAL: Duration = Duration::from_secs(30);

/// How often to look whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// All workers.
pub(super) struct Crew {
    hands: Vec<Hand>,
    heard: Receiver<(usize, u64, Heard)>,
    seed: u64,
    nonce: u64,
}

impl Crew {
    /// Starts and prepares all; `url` is a server that the command line does not name. One that is
    /// not there, or cannot do it, is an error before anything is sent.
    pub(super) fn start(args: &Args, url: Option<String>) -> Result<Crew> {
        let (to, heard) = channel();
        let program = args.worker_command.as_deref().unwrap_or("pacemark");
        let places = args.crew().into_iter().enumerate();
        let hands = places.map(|(i, place)| Hand::start(place, program, i, to.clone()));
        let hands: Vec<Hand> = hands.collect::<Result<_>>()?;
        let nonce = args.nonce.unwrap_or_else(fresh_nonce);
        let mut crew = Crew { hands, heard, seed: args.seed, nonce };
        crew.each("is not there", Some(ARRIVAL), |hand, word| match word {
            Word::Hello(env) => {
                hand.env = *env;
                true
            }
            _ => false,
        })?;
        let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("PACEMARK_COMMIT"));
        for Hand { name, env, .. } in &crew.hands {
            if env.version != version || env.commit != commit {
                let (theirs, of) = (&env.version, &env.commit);
                bail!(
                    "worker {name}: expected Pacemark {version} ({commit}) as here, found {theirs} ({of})"
                );
            }
        }
        let arguments: Vec<String> = std::env::args_os()
            .map(|word| word.into_string().map_err(|word| anyhow!("{word:?}: not UTF-8")))
            .collect::<Result<_>>()?;
        let of = crew.hands.len() as u64;
        for (index, hand) in crew.hands.iter_mut().enumerate() {
            let (arguments, url, api_key) = (arguments.clone(), url.clone(), args.api_key.clone());
            let index = index as u64;
            let preparation = Preparation { arguments, url, api_key, nonce, index, of };
            hand.tell(&Order::Prepare(Box::new(preparation)));
        }
        crew.each("cannot prepare", None, |_, word| matches!(word, Word::Prepared))?;
        Ok(crew)
    }

    /// Waits until each has said what is waited for; whoever fails or goes ends it.
    fn each(
        &mut self,
        failed: &str,
        limit: Option<Duration>,
        mut is_it: impl FnMut(&mut Hand, Word) -> bool,
    ) -> Result<()> {
        let until = limit.map(|limit| Instant::now() + limit);
        let mut waiting: Vec<usize> = (0..self.hands.len()).collect();
        while !waiting.is_empty() {
            if interrupt::flag().load(Relaxed) {
                bail!("interrupted before anything was sent");
            }
            let (i, _, heard) = match self.heard.recv_timeout(LOOK) {
                Ok(heard) => heard,
                Err(RecvTimeoutError::Timeout) => {
                    if until.is_some_and(|until| Instant::now() > until) {
                        let why = Some("it said nothing in time".to_owned());
                        let hand = &mut self.hands[waiting[0]];
                        let said = hand.obituary(why);
                        bail!("worker {} {failed}: {said}", hand.name);
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => bail!("the workers have gone"),
            };
            let hand = &mut self.hands[i];
            match heard {
                Heard::Word(Word::Failed(why)) => bail!("worker {} {failed}: {why}", hand.name),
                Heard::Gone(why) => {
                    let said = hand.obituary(why);
                    bail!("worker {} {failed}: {said}", hand.name);
                }
                Heard::Word(word) => {
                    if is_it(hand, word) {
                        waiting.retain(|waiting| *waiting != i);
                    }
                }
            }
        }
        Ok(())
    }
}
