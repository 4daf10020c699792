//! Real processes: a script over `side.py` that behaves, and shells that do not.

use pacemark_side::protocol::{Ask, Kind, Load, Request, Tell};
use pacemark_side::{Process, SideError};
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// An engine that counts up from the prompt's last token.
const COUNTING: &str = "
import side, time, os, signal, subprocess
class Engine:
    name = 'counting 1'
    def load(self, ask, progress):
        print('a library prints what it likes')
        progress(1, 2)
        if ask['model'] == 'none':
            raise side.Refused('invalid', 'no such model')
        return dict(device=ask['device'], n_ctx=100, n_seqs=1, n_vocab=1000, n_threads=1, scores=True,
                    logprobs=False, batches=False, load_ns=[['load', 5]], warnings=[])
    def generate(self, job):
        request = job.requests[0]
        if request['prompt'][0] == 666:
            os._exit(3)
        job.started()
        if request['prompt'][0] == 667:
            job.token(subprocess.Popen(['sleep', '60']).pid)
            os.kill(os.getpid(), signal.SIGSEGV)
        n = 0
        while n < request['max_tokens'] and not job.is_aborted():
            n += 1
            job.token(request['prompt'][-1] + n)
            if request['seed']:
                time.sleep(0.01)
        job.finished(stopped=False)
    def score(self, tokens, first):
        return [-0.5] * (len(tokens) - 1 - first), [True] * (len(tokens) - 1 - first)
side.serve(Engine())
";

fn python(script: &str) -> Process {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/python")).args(["-c", script]);
    Process::start(command, PATIENCE).unwrap()
}

fn shell(script: &str) -> Result<Process, SideError> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    Process::start(command, Duration::from_millis(1500))
}

/// A script that prepares the environment and then waits for the interpreter that it started.
#[cfg(target_os = "linux")]
#[test]
fn the_engine_of_a_wrapper_is_the_process_that_says_so() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
    let python = "import side, sys; sys.modules['__main__'].name = 'w 1'; side.serve(sys.modules['__main__'])";
    let process = shell(&format!("PYTHONPATH={path} python3 -c \"{python}\"; exit 3")).unwrap();
    let name = std::fs::read_to_string(format!("/proc/{}/comm", process.id())).unwrap();
    assert!(name.starts_with("python"), "{name}");
    // A number that is none of its own is not believed.
    let lie = r#"echo '{"tell":"hello","protocol":1,"engine":"e","pid":1}'; read x"#;
    let process = shell(lie).unwrap();
    let name = std::fs::read_to_string(format!("/proc/{}/comm", process.id())).unwrap();
    assert!(name.starts_with("sh") || name.starts_with("dash"), "{name}");
}

fn loaded(model: &str) -> (Process, Tell) {
    let mut process = python(COUNTING);
    let load = Load { model: model.into(), device: "CPU".into(), n_seqs: 1, ..Load::default() };
    process.ask(&Ask::Load(load)).unwrap();
    assert_eq!(process.next(PATIENCE).unwrap(), Tell::Progress { done: 1, of: 2 });
    let told = process.next(PATIENCE).unwrap();
    (process, told)
}

fn generate(id: u64, prompt: &[u32], max_tokens: usize, seed: u64) -> Ask {
    let request = Request { prompt: prompt.to_vec(), max_tokens, seed, ..Request::default() };
    Ask::Generate { id, requests: vec![request] }
}

#[test]
fn tokens_come_with_times_of_ours() {
    let (mut process, told) = loaded("m");
    assert!(matches!(told, Tell::Loaded(loaded) if loaded.n_ctx == 100 && loaded.device == "CPU"));
    assert_eq!(process.engine(), "counting 1");
    let clock = process.clock(PATIENCE).unwrap();
    let before = Instant::now();
    process.ask(&generate(1, &[5, 7], 3, 0)).unwrap();
    let mut seen = Vec::new();
    loop {
        match process.next(PATIENCE).unwrap() {
            Tell::Token { token, ns, .. } => seen.push((token, clock.ours(ns))),
            Tell::Finished { id: 1, .. } => break,
            other => assert!(matches!(other, Tell::Started { .. }), "{other:?}"),
        }
    }
    assert_eq!(seen.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [8, 9, 10]);
    assert!(seen.is_sorted_by_key(|(_, at)| *at));
    let (first, after) = (seen[0].1, Instant::now());
    assert!(first + clock.within() >= before && first <= after + clock.within());
    process.ask(&Ask::Score { id: 2, tokens: vec![1, 2, 3], first: 0 }).unwrap();
    let scores = Tell::Scores { id: 2, logprobs: vec![-0.5; 2], hits: vec![true; 2] };
    assert_eq!(process.next(PATIENCE).unwrap(), scores);
}

#[test]
fn what_is_aborted_ends_and_what_is_refused_has_a_kind() {
    let (mut process, _) = loaded("m");
    process.ask(&generate(1, &[5], 100_000, 1)).unwrap();
    process.ask(&Ask::Abort { id: 1, index: None }).unwrap();
    while !matches!(process.next(PATIENCE).unwrap(), Tell::Finished { id: 1, .. }) {}
    let (_, refused) = loaded("none");
    let expected =
        Tell::Failed { id: 0, index: 0, kind: Kind::Invalid, message: "no such model".into() };
    assert_eq!(refused, expected);
}

#[test]
fn whoever_dies_or_talks_nonsense_is_told() {
    let (mut process, _) = loaded("m");
    process.ask(&generate(1, &[666], 3, 0)).unwrap();
    let ended = process.next(PATIENCE).unwrap_err().to_string();
    assert!(ended.contains("exit status: 3"), "{ended}");
    let says = |script: &str| shell(script).err().map(|error| error.to_string()).unwrap();
    let crash =
        says("echo Traceback >&2; echo 'ModuleNotFoundError: No module named x' >&2; exit 1");
    assert!(crash.contains("exit status: 1") && crash.ends_with("No module named x"), "{crash}");
    let garbage = says("echo hello; sleep 5");
    assert!(garbage.contains("no message of protocol 1") && garbage.contains("hello"), "{garbage}");
    let other = says(r#"echo '{"tell":"hello","protocol":9,"engine":"x"}'; sleep 5"#);
    assert!(other.contains("protocol 9"), "{other}");
    assert!(says("sleep 5").contains("said nothing for 1.5 s"));
    let missing = Process::start(Command::new("/no/such/program"), PATIENCE).err().unwrap();
    assert!(missing.to_string().contains("cannot start /no/such/program"), "{missing}");
}

/// Also one that does not listen: it is killed.
#[test]
fn a_process_ends_with_its_owner() {
    let gone = |id: u32| !std::path::Path::new(&format!("/proc/{id}")).exists();
    let (process, _) = loaded("m");
    let id = process.id();
    drop(process);
    assert!(gone(id));
    let hello = r#"echo '{"tell":"hello","protocol":1,"engine":"x"}'; trap '' TERM; while :; do sleep 0.1; done"#;
    let deaf = shell(hello).unwrap();
    let id = deaf.id();
    drop(deaf);
    assert!(gone(id));
}

/// Whether a process has ended: nothing is left of it, but for who takes note of orphans.
#[cfg(target_os = "linux")]
fn is_gone(id: u32) -> bool {
    let until = Instant::now() + PATIENCE;
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
        if stat.map_or(true, |stat| stat.contains(") Z ")) {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_an_engine_has_started_goes_with_it_when_it_crashes() {
    let (mut process, _) = loaded("m");
    process.ask(&generate(1, &[667], 3, 0)).unwrap();
    let mut helper = 0;
    let end = loop {
        match process.next(PATIENCE) {
            Ok(Tell::Token { token, .. }) => helper = token,
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    assert!(end.contains("signal: 11"), "{end}");
    assert!(helper > 0 && is_gone(helper));
}

/// Nobody has to wait for packages that are being imported.
#[cfg(target_os = "linux")]
#[test]
fn an_engine_ends_in_the_middle_of_its_imports() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/python");
    let script = "import side, time, os; print(os.getpid(), file=open(os.environ['ID'], 'w')); time.sleep(60)";
    let file = std::env::temp_dir().join(format!("pacemark-side-{}", std::process::id()));
    let mut command = Command::new("sh");
    // Not its own leader, and its owner is nobody that kills it.
    command.args(["-c", &format!("sleep 2 | python3 -c \"{script}\"")]);
    command.env("PYTHONPATH", path).env("ID", &file);
    let begun = Instant::now();
    assert!(command.status().unwrap().code().is_some());
    let id = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(is_gone(id) && begun.elapsed() < Duration::from_secs(50));
}
