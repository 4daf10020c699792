//! The mock keeps its clock, its text and its promises to the service's contract.

use super::*;
use crate::FinishReason;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

fn quick() -> MockOptions {
    MockOptions {
        ttft: Duration::from_millis(4),
        itl: Duration::from_millis(1),
        ..MockOptions::default()
    }
}

fn request(max_tokens: usize) -> GenerateRequest {
    GenerateRequest { prompt: vec![72, 105], max_tokens, ..GenerateRequest::default() }
}

fn submit(service: &MockService, request: GenerateRequest) -> (Ticket, Receiver<Event>) {
    let (sender, events) = channel();
    (service.submit(request, Box::new(move |event| drop(sender.send(event)))), events)
}

/// Gauges follow events a moment later.
fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it never came true");
}

fn text(events: &[Event]) -> String {
    let text = |event: &Event| match event {
        Event::Token { text, .. } => text.clone(),
        _ => String::new(),
    };
    events.iter().map(text).collect()
}

#[test]
fn tokens_are_due_exactly_when_they_should_be() {
    let service = MockService::new(quick()).unwrap();
    let (_ticket, events) = submit(&service, request(5));
    let events: Vec<Event> = events.iter().collect();
    let [
        Event::Queued { at: queued },
        Event::Started { at: started, .. },
        tokens @ ..,
        Event::Finished { usage, reason, .. },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((queued, reason), (started, &FinishReason::Length));
    assert_eq!(
        *usage,
        crate::Usage { prompt_tokens: 2, output_tokens: 5, ..crate::Usage::default() }
    );
    for (i, token) in tokens.iter().enumerate() {
        let Event::Token { at, .. } = token else { panic!("{token:?}") };
        assert_eq!(*at - *started, Duration::from_millis(4 + i as u64));
        assert!(*at <= Instant::now(), "an event came before its time");
    }
}

#[test]
fn stop_texts_tokens_and_answers_are_honoured() {
    let answer = |answer: &str| MockOptions {
        answer: Some(answer.into()),
        itl: Duration::ZERO,
        ttft: Duration::ZERO,
        ..quick()
    };
    let service = MockService::new(answer("héllo wörld, STO no STOP never")).unwrap();
    let all = |request| submit(&service, request).1.iter().collect::<Vec<_>>();
    assert_eq!(text(&all(request(100))), "héllo wörld, STO no STOP never");
    let stopped = all(GenerateRequest { stop: vec!["STOP".into(), "zzz".into()], ..request(100) });
    assert_eq!(text(&stopped), "héllo wörld, STO no ");
    assert!(matches!(stopped.last(), Some(Event::Finished { reason: FinishReason::Stop, .. })));
    assert_eq!(
        text(&all(GenerateRequest { stop_tokens: vec![b'o'.into()], ..request(100) })),
        "héllo"
    );
    let longer = all(GenerateRequest { ignore_eos: true, ..request(100) });
    assert!(matches!(longer.last(), Some(Event::Finished { reason: FinishReason::Length, .. })));
    assert_eq!(text(&all(request(2))), "h\u{fffd}", "half a character at the end is replaced");
}

#[test]
fn what_cannot_be_served_fails_and_the_rest_goes_on() {
    let service = MockService::new(MockOptions { fails_at: Some(1), ..quick() }).unwrap();
    let last = |request| submit(&service, request).1.iter().last();
    assert!(matches!(
        last(GenerateRequest::default()),
        Some(Event::Failed(BackendError::InvalidRequest(_)))
    ));
    assert!(matches!(
        last(request(usize::MAX)),
        Some(Event::Failed(BackendError::ContextExceeded { .. }))
    ));
    assert!(matches!(last(request(2)), Some(Event::Failed(BackendError::Engine(_)))));
    assert!(matches!(last(request(1)), Some(Event::Finished { .. })));
    assert!(matches!(last(request(0)), Some(Event::Finished { .. })));
    eventually(|| service.status().running == 0);
}

#[test]
fn a_dropped_ticket_makes_room_for_the_next() {
    let hours = Duration::from_secs(3600);
    let service =
        MockService::new(MockOptions { ttft: hours, max_num_seqs: 1, ..quick() }).unwrap();
    let (first, _events) = submit(&service, request(1));
    let (_second, second) = submit(&service, request(1));
    assert!(matches!(second.recv(), Ok(Event::Queued { .. })));
    assert!(second.try_recv().is_err(), "there is room for one only");
    drop(first);
    assert!(matches!(second.recv(), Ok(Event::Started { .. })));
    eventually(|| (service.status().running, service.status().waiting) == (1, 0));
}

#[test]
fn any_text_and_its_tokens_are_one() {
    for text in ["", "plain", " the and these thes  the Our", "é\u{1f600} theé", "the t he\n"] {
        let tokens = MockText::default().encode(text, true);
        assert_eq!(MockText::default().decode(&tokens).unwrap(), text);
        assert!(tokens.iter().all(|token| *token < text::VOCABULARY));
    }
    assert_eq!(MockText::default().encode(" the and the", true), [256, 257, 256]);
    let all: Vec<TokenId> = (256..text::END).collect();
    assert_eq!(MockText::default().encode(&MockText::default().decode(&all).unwrap(), true), all);
    assert!(MockText::default().decode(&[1_000_000]).is_err());
}
