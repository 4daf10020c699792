//! The service as a plain backend: the caller waits for each event.

use super::{Command, NativeService};
use pacemark_backend::{
    Backend, BackendInfo, BatchStream, Capabilities, Event, EventStream, GenerateRequest,
    MemoryUsage, Service, Ticket,
};
use std::sync::mpsc::channel;

impl Backend for NativeService {
    fn info(&self) -> BackendInfo {
        self.info.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Service::capabilities(self)
    }

    fn generate(&self, request: GenerateRequest) -> EventStream<'_> {
        Box::new(self.generate_batch(vec![request]).map(|(_, event)| event))
    }

    fn generate_batch(&self, requests: Vec<GenerateRequest>) -> BatchStream<'_> {
        let (events, received) = channel();
        let submit = |(index, request)| {
            let events = events.clone();
            self.submit(request, Box::new(move |event| drop(events.send((index, event)))))
        };
        let tickets = requests.into_iter().enumerate().map(submit).collect();
        drop(events);
        Box::new(Received { service: self, tickets, events: received.into_iter() })
    }

    fn memory(&self) -> Option<MemoryUsage> {
        Service::memory(self)
    }
}

/// The events of a batch; dropping it aborts what is left.
struct Received<'a> {
    service: &'a NativeService,
    tickets: Vec<Ticket>,
    events: std::sync::mpsc::IntoIter<(usize, Event)>,
}

impl Iterator for Received<'_> {
    type Item = (usize, Event);

    fn next(&mut self) -> Option<(usize, Event)> {
        self.events.next()
    }
}

impl Drop for Received<'_> {
    /// A backend's stream has freed what it held when its drop returns.
    fn drop(&mut self) {
        self.tickets.clear();
        let (done, told) = channel();
        if self.service.send(Command::Ping(done)).is_ok() {
            let _ = told.recv();
        }
    }
}
