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

/// The tokens of one request.
#[pyclass(frozen, module = "pacemark._native")]
pub(crate) struct Stream {
    /// Who reads has it.
    told: Mutex<Receiver<Told>>,
    ticket: Mutex<Option<Ticket>>,
    is_closed: AtomicBool,
    ended: Mutex<Option<Sample>>,
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
            told: Mutex::new(told),
            ticket: Mutex::new(Some(ticket)),
            is_closed: AtomicBool::new(false),
            ended: Mutex::new(None),
        }
    }
}

#[pymethods]
impl Stream {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Token>> {
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
        match wait::next(py, &mut told)? {
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
        drop(locked(&self.ticket).take());
    }

    #[getter]
    fn ended(&self) -> Option<Sample> {
        locked(&self.ended).clone()
    }
}
