//! An answer as it comes.

use crate::error;
use crate::timed::{Sample, Stamps};
use crate::wait;
use pacemark_backend::{BackendError, Event, GenerateRequest, Service, Ticket};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// A token as it was chosen.
#[pyclass(frozen, get_all, module = "pacemark._native")]
#[derive(Clone, Debug)]
pub(crate) struct Token {
    id: u32,
    text: String,
    logprob: Option<f32>,
    top_logprobs: Vec<(u32, f32)>,
    at_ms: f64,
}

enum Told {
    Token(Token),
    Ended(Sample),
    Failed(BackendError),
}

#[pymethods]
impl Token {
    fn __repr__(&self) -> String {
        let Token { id, text, logprob, at_ms, .. } = self;
        let logprob = logprob.map_or(String::new(), |logprob| format!(", logprob={logprob:.4}"));
        format!("Token(id={id}, text={text:?}{logprob}, at_ms={at_ms:.3})")
    }
}

/// The tokens of one request.
#[pyclass(frozen, module = "pacemark._native")]
pub(crate) struct Stream {
    /// Who reads has it.
    told: Mutex<Option<Receiver<Told>>>,
    ticket: Mutex<Option<Ticket>>,
    is_closed: AtomicBool,
    ended: Mutex<Option<Sample>>,
    /// Whose threads tell: one that was forked from it would wait for ever.
    process: u32,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream {
    /// Hands a request over.
    pub(crate) fn begin(service: &dyn Service, request: GenerateRequest) -> Stream {
        let (tell, told) = channel();
        let mut stamps = Stamps::now();
        let sink = move |event: Event| {
            let event = match event {
                Event::Token { id, text, logprob, top, at, .. } => {
                    stamps.token(at);
                    let at_ms = stamps.ms(at);
                    Told::Token(Token { id, text, logprob, top_logprobs: top, at_ms })
                }
                Event::Finished { reason, usage, at, .. } => {
                    let first = stamps.handed_over;
                    Told::Ended(stamps.sample(reason.as_str(), usage, at, first))
                }
                Event::Failed(error) => Told::Failed(error),
                Event::Queued { .. } | Event::Started { .. } | Event::Prefill { .. } => return,
            };
            let _ = tell.send(event); // nobody reads any more
        };
        let ticket = service.submit(request, Box::new(sink));
        Stream {
            told: Mutex::new(Some(told)),
            ticket: Mutex::new(Some(ticket)),
            is_closed: AtomicBool::new(false),
            ended: Mutex::new(None),
            process: std::process::id(),
        }
    }

    fn is_forked(&self) -> bool {
        std::process::id() != self.process
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.is_forked() {
            // Another process's threads may have held what these would wait for.
            let told = self.told.get_mut().unwrap_or_else(PoisonError::into_inner);
            let ticket = self.ticket.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget((told.take(), ticket.take()));
        }
    }
}

#[pymethods]
impl Stream {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Token>> {
        if self.is_forked() {
            return Err(error::forked(py));
        }
        let mut told = match self.told.try_lock() {
            Ok(told) => told,
            Err(TryLockError::Poisoned(told)) => told.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let why = "another thread reads this stream; each request has a stream of its own";
                return Err(PyRuntimeError::new_err(why));
            }
        };
        if self.is_closed.load(Relaxed) || locked(&self.ended).is_some() {
            return Ok(None);
        }
        let Some(told) = &mut *told else { return Ok(None) };
        match wait::next(py, told)? {
            Some(Told::Token(token)) => Ok(Some(token)),
            Some(Told::Ended(sample)) => {
                *locked(&self.ended) = Some(sample);
                Ok(None)
            }
            Some(Told::Failed(why)) => {
                self.is_closed.store(true, Relaxed);
                Err(error::of_backend(py, &why))
            }
            None if self.is_closed.load(Relaxed) => Ok(None),
            None => Err(error::closed(py)),
        }
    }

    /// Ends the request, also while another thread reads.
    fn close(&self) {
        self.is_closed.store(true, Relaxed);
        if self.is_forked() {
            return;
        }
        drop(locked(&self.ticket).take());
    }

    #[getter]
    fn ended(&self) -> Option<Sample> {
        locked(&self.ended).clone()
    }
}
