//! What the servers of a load tell of themselves, beside what the client saw, and who sent it.

use crate::Cell;
use pacemark_record::{KnownKind, Request, SERVER_METRICS, ServerFigure, ServerSide, Trial, stats};
use serde_json::{Map, Value, json};

/// A line for each thing that servers tell: `server: running`. One that was asked and told nothing
/// has a dash and the reason.
pub(super) fn lines(trial: &Trial) -> Vec<(String, String)> {
    let sides = trial.load().map_or(&[][..], |load| &load.servers);
    let mut lines = Vec::new();
    for side in sides {
        let of = if sides.len() > 1 { format!(" ({})", side.url) } else { String::new() };
        if let Some(why) = &side.absent {
            lines.push((format!("server: metrics{of}"), format!("- ({why})")));
        }
        for known in SERVER_METRICS {
            let Some(figure) = side.figure(known) else { continue };
            // One server's counts are not to be compared with what went to all.
            let client = if sides.len() == 1 { client(trial, known.figure) } else { None };
            let client = client.map_or(String::new(), |client| format!(" (client: {client})"));
            let told = told(figure, known.kind);
            lines.push((format!("server: {}{of}", known.figure), told + &client));
        }
    }
    lines
}

fn told(figure: ServerFigure, kind: KnownKind) -> String {
    match figure {
        ServerFigure::Level { mean, most } if kind == KnownKind::Share => {
            format!("mean {:.1} %, most {:.1} %", mean * 100.0, most * 100.0)
        }
        ServerFigure::Level { mean, most } => format!("mean {mean:.1}, most {most:.0}"),
        ServerFigure::Grew(by) => format!("{by:.0}"),
        ServerFigure::Mean { seconds, count } => {
            format!("mean {:.1} ms of {count:.0}", seconds * 1e3)
        }
    }
}

/// The same as the client saw it.
fn client(trial: &Trial, figure: &str) -> Option<String> {
    let mean = |of: fn(&Request) -> Option<u64>| {
        let ms: Vec<f64> = trial.answered().filter_map(of).map(|ns| ns as f64 / 1e6).collect();
        stats::mean(&ms).map(|ms| format!("mean {ms:.1} ms"))
    };
    match figure {
        "prompt tokens" => {
            let told = trial.answered().filter_map(|r| r.prompt_usage.or(r.prompt_tokens));
            Some(told.sum::<u64>().to_string())
        }
        "generated tokens" => Some(trial.output_tokens().to_string()),
        "ttft" => mean(Request::ttft_ns),
        "e2e" => mean(Request::e2e_ns),
        _ => None,
    }
}

/// For programs: an object a server.
pub(super) fn figures(trial: &Trial) -> Cell {
    let one = |side: &ServerSide| {
        let mut object = Map::from_iter([("url".to_owned(), side.url.as_str().into())]);
        if let Some(why) = &side.absent {
            object.insert("absent".into(), why.as_str().into());
        }
        for known in SERVER_METRICS {
            let name = known.figure.replace(' ', "_");
            match side.figure(known) {
                Some(ServerFigure::Level { mean, most }) => {
                    object.insert(format!("{name}_mean"), json!(mean));
                    object.insert(format!("{name}_max"), json!(most));
                }
                Some(ServerFigure::Grew(by)) => {
                    object.insert(name, json!(by));
                }
                Some(ServerFigure::Mean { seconds, .. }) => {
                    object.insert(format!("{name}_ms_mean"), json!(seconds * 1e3));
                }
                None => {}
            }
        }
        Value::Object(object)
    };
    list(trial.load().map_or(&[][..], |load| &load.servers).iter().map(one).collect())
}

/// For programs: an object a worker.
pub(super) fn senders(trial: &Trial) -> Cell {
    let parts = trial.grouped(|request| request.sender.as_deref());
    let one = |sender: &pacemark_record::Sender| {
        let requests = parts.get(&sender.name).map_or(0, |part| part.requests().len());
        let clock = sender.clock.as_ref();
        json!({
            "name": sender.name,
            "requests": requests,
            "began_ms": sender.began_ns as f64 / 1e6,
            "clock": clock.map(|clock| clock.method.name()),
            "offset_ms": clock.map(|clock| clock.offset_ns as f64 / 1e6),
            "round_trip_ms": clock.and_then(|clock| Some(clock.round_trip_ns? as f64 / 1e6)),
            "clock_error_ms": clock.and_then(|clock| Some(clock.error_ns? as f64 / 1e6)),
            "lost": sender.lost,
        })
    };
    list(trial.load().map_or(&[][..], |load| &load.senders).iter().map(one).collect())
}

fn list(values: Vec<Value>) -> Cell {
    Cell::Json(Value::Array(values).to_string())
}
