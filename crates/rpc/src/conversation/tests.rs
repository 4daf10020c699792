//! Turns, computing and words of a conversation, by an invented clock.

use super::*;
use crate::protocol::HELLO_BYTES;
use std::time::Duration;

/// A conversation and the clock by which it is told.
struct Told {
    conversation: Conversation,
    start: Instant,
}

impl Told {
    fn new(away: &Arc<Away>) -> Told {
        Told { conversation: Conversation::new(Arc::clone(away)), start: Instant::now() }
    }

    fn at(&self, ns: u64) -> Instant {
        self.start + Duration::from_nanos(ns)
    }

    fn send(&mut self, bytes: &[u8], ns: u64) {
        let at = self.at(ns);
        self.conversation.sent(bytes, at).unwrap();
        self.conversation.sent_on(at);
    }

    fn answer(&mut self, bytes: &[u8], ns: u64) {
        let at = self.at(ns);
        self.conversation.received(bytes, at).unwrap();
    }

    fn counts(&self, ns: u64) -> Counts {
        self.conversation.counts(self.at(ns))
    }
}

fn command(command: Command, body: usize) -> Vec<u8> {
    let mut bytes = vec![command as u8];
    bytes.extend((body as u64).to_le_bytes());
    bytes.resize(bytes.len() + body, 7);
    bytes
}

fn answer(body: usize) -> Vec<u8> {
    command(Command::Hello, body).split_off(1)
}

#[test]
fn a_turn_goes_from_the_first_tensor_to_the_answer() {
    let away = Arc::new(Away::default());
    let mut told = Told::new(&away);
    told.send(&command(Command::Hello, HELLO_BYTES), 0);
    told.answer(&answer(28), 5);
    assert_eq!(told.counts(9).turn_ns, 0);
    told.send(&command(Command::SetTensor, 400), 10);
    let graph = command(Command::GraphCompute, 100);
    told.send(&graph[..50], 20);
    told.send(&graph[50..], 30);
    told.send(&command(Command::GetTensor, 312), 40);
    let data = answer(1000);
    told.answer(&data[..3], 100);
    assert_eq!(told.counts(110).turn_ns, 100);
    told.answer(&data[3..], 200);
    // Computing: from the graph's last byte to the answer's first.
    let counts = told.counts(500);
    assert_eq!((counts.turn_ns, counts.computing_ns), (190, 70));
    assert_eq!((counts.commands, counts.round_trips, counts.graphs), (4, 2, 1));
    assert_eq!(counts.sent_bytes, (9 + 24) + (9 + 400) + (9 + 100) + (9 + 312));
    assert_eq!(counts.received_bytes, 36 + 1008);
    // Without a graph, from the last byte of what is answered.
    told.send(&command(Command::GetTensor, 312), 1000);
    told.answer(&answer(8), 1010);
    assert_eq!(told.counts(2000).computing_ns, 80);
    assert_eq!(told.counts(2000).turn_ns, 200);
}

#[test]
fn what_only_asks_or_frees_is_nobodys_turn() {
    let mut told = Told::new(&Arc::new(Away::default()));
    for (from, alone) in
        [Command::FreeBuffer, Command::BufferClear, Command::InitTensor, Command::MemsetTensor]
            .into_iter()
            .enumerate()
    {
        told.send(&command(alone, 16), from as u64);
    }
    told.send(&command(Command::GetAlignment, 4), 10);
    told.answer(&answer(8), 20);
    let counts = told.counts(100);
    assert_eq!((counts.turn_ns, counts.computing_ns, counts.commands), (0, 0, 5));
}

#[test]
fn a_worker_that_owes_more_keeps_its_turn() {
    let mut told = Told::new(&Arc::new(Away::default()));
    let get = command(Command::GetTensor, 312);
    told.send(&[&get[..], &get[..]].concat(), 10);
    told.answer(&answer(4), 20);
    told.answer(&answer(4), 50);
    let counts = told.counts(90);
    assert_eq!((counts.turn_ns, counts.computing_ns, counts.round_trips), (40, 10 + 30, 2));
}

#[test]
fn two_workers_turns_are_one_time_away() {
    let away = Arc::new(Away::default());
    let mut first = Told::new(&away);
    let mut second = Told { conversation: Conversation::new(Arc::clone(&away)), ..first };
    first.conversation = Conversation::new(Arc::clone(&away));
    first.send(&command(Command::GetTensor, 312), 0);
    second.send(&command(Command::GetTensor, 312), 40);
    first.answer(&answer(4), 60);
    second.answer(&answer(4), 100);
    second.send(&command(Command::GetTensor, 312), 200);
    second.answer(&answer(4), 210);
    assert_eq!(first.counts(300).turn_ns, 60);
    assert_eq!(second.counts(300).turn_ns, 60 + 10);
    assert_eq!(away.total_ns(first.at(300)), 100 + 10);
}

#[test]
fn tensors_without_a_graph_are_a_turn_until_they_are_sent() {
    let away = Arc::new(Away::default());
    let mut told = Told::new(&away);
    let set = command(Command::SetTensor, 400);
    told.send(&set[..10], 0);
    told.conversation.settle();
    assert_eq!(told.counts(20).turn_ns, 20, "in the middle of a command nothing is settled");
    told.send(&set[10..], 30);
    told.conversation.settle();
    assert_eq!(told.counts(1000).turn_ns, 30);
    assert_eq!(away.total_ns(told.at(1000)), 30);
    told.send(&command(Command::GraphRecompute, 4), 2000);
    told.conversation.settle();
    assert_eq!(told.counts(2100).turn_ns, 130, "a graph is the worker's");
    let at = told.at(2200);
    let counts = told.conversation.close(at);
    assert_eq!((counts.turn_ns, counts.computing_ns), (230, 200), "nothing counted is taken back");
}

#[test]
fn what_is_no_conversation_is_told() {
    let told = || Told::new(&Arc::new(Away::default()));
    let at = Instant::now();
    assert_eq!(told().conversation.sent(b"GET /", at), Err(Fault::UnknownCommand(b'G')));
    assert_eq!(told().conversation.received(b"x", at), Err(Fault::Unasked));
    let mut wrong = told();
    wrong.send(&command(Command::GetAlignment, 4), 0);
    let found = u64::from_le_bytes(*b"HTTP/1.1");
    assert_eq!(
        wrong.conversation.received(b"HTTP/1.1 400", at),
        Err(Fault::AnswerSize { command: Command::GetAlignment, expected: 8, found })
    );
    let mut greedy = told();
    for _ in 0..MOST_OWED {
        greedy.send(&command(Command::DeviceCount, 0), 0);
    }
    let one_more = greedy.conversation.sent(&command(Command::DeviceCount, 0), at);
    assert_eq!(one_more, Err(Fault::TooManyOwed(MOST_OWED)));
}

#[test]
fn says_where_it_stands() {
    let mut told = Told::new(&Arc::new(Away::default()));
    assert!(told.conversation.phase().starts_with("between two commands"));
    told.send(&command(Command::SetTensor, 50)[..20], 0);
    assert_eq!(told.conversation.phase(), "in the middle of SET_TENSOR");
    told.send(&command(Command::SetTensor, 50)[20..], 0);
    told.send(&command(Command::GraphCompute, 50), 0);
    assert_eq!(told.conversation.phase(), "while it had a graph to compute");
    told.send(&command(Command::GetTensor, 312), 0);
    let awaited = "while an answer to GET_TENSOR, after a graph to compute, was awaited";
    assert_eq!(told.conversation.phase(), awaited);
    told.answer(&answer(50)[..9], 0);
    assert_eq!(told.conversation.phase(), "in the middle of its answer to GET_TENSOR");
}
