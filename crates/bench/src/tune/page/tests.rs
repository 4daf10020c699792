//! Pages of made-up searches.

use super::super::panels;
use super::super::testing::{trial, with_fate};
use super::*;
use pacemark_report::picture::svg;
use pacemark_report::{Page, render, render::find};

/// Three settings that were raced, and a confirmation.
fn trials() -> Vec<Trial> {
    let default = [100, 102, 99, 101, 100, 98];
    let better = [90, 91, 90, 89, 90, 88];
    let mut trials = vec![
        with_fate(trial("default", &default), Fate::Worse, 6),
        with_fate(trial("-t 1", &better), Fate::Won, 6),
        with_fate(trial("-t 1 -ub 64", &[120, 121, 122, 119, 120, 118]), Fate::Worse, 6),
    ];
    for (turn, (name, times)) in [("default", default), ("-t 1", better)].into_iter().enumerate() {
        let mut confirming = trial(name, &times);
        confirming.params.insert(PART.into(), CONFIRMATION.into());
        confirming.turn = turn as u64;
        trials.push(confirming);
    }
    trials
}

fn shown(trials: Vec<Trial>, format: &str, width: Option<usize>) -> String {
    let run = Run { trials, ..Run::default() };
    let mut document = document(&Tune, &run);
    document.notes = notes(&run);
    render(&document, find(format).unwrap(), &Page { width, ..Page::default() })
}

#[test]
fn a_search_with_made_up_numbers() {
    insta::assert_snapshot!("tune_md", shown(trials(), "md", None));
    for width in [80, 100, 140] {
        let wide = shown(trials(), "table", Some(width));
        assert!(wide.contains("one setting is the best"), "{wide}");
    }
    let json: Value = serde_json::from_str(&shown(trials(), "json", None)).unwrap();
    assert_eq!(
        (&json["verdict"], &json["recommended"], &json["command"]),
        (&"winner".into(), &"-t 1".into(), &"pacemark bench -m model.gguf -t 1".into())
    );
    assert_eq!(
        (&json["confirmation"]["pairs"], &json["confirmation"]["verdict"]),
        (&6.into(), &"faster".into())
    );
    let rows = json["settings"].as_array().unwrap();
    let verdicts: Vec<&Value> = rows.iter().map(|row| &row["verdict"]).collect();
    assert_eq!(verdicts[..3], ["worse", "won", "worse"]);
    assert_eq!((&rows[1]["front"], &rows[3]["part"]), (&"T".into(), &"confirmation".into()));
    assert!(shown(trials(), "csv", None).lines().count() >= 6);
}

#[test]
fn a_default_that_won_is_confirmed_against_another() {
    let mut trials = trials();
    let names = ["-t 1", "default", "-t 1 -ub 64", "-t 1", "default"];
    for (trial, name) in trials.iter_mut().zip(names) {
        trial.params.insert(super::super::SETTING.into(), name.into());
        let n_changes = if name == "default" { 0 } else { 1 };
        trial.params.insert(super::super::N_CHANGES.into(), n_changes.into());
    }
    trials.swap(0, 1);
    let said = shown(trials.clone(), "md", None);
    assert!(said.contains("confirmation  confirmed, 1.115 times that of -t 1 (95 %"), "{said}");
    let json: Value = serde_json::from_str(&shown(trials, "json", None)).unwrap();
    assert_eq!(json["confirmation"]["against"], "-t 1");
}

#[test]
fn a_race_that_was_cut_short_says_so() {
    let mut cut = trials();
    cut.truncate(4);
    (cut[3].repetitions, cut[3].turn) = (16, 0);
    let said = shown(cut, "md", None);
    assert!(said.contains("cut short: 6 of 16 pairs"), "{said}");
    let racing = vec![trial("default", &[100, 101]), trial("-t 1", &[90])];
    let said = shown(racing, "md", None);
    assert!(said.contains("the race was not over: after 2 rounds 2 still in it"), "{said}");
    assert!(!said.contains("run it"), "{said}");
}

#[test]
fn nothing_is_bounded_by_too_few_rounds() {
    let even = |name, times: &[u64]| with_fate(trial(name, times), Fate::Even, 4);
    let four = vec![even("default", &[100, 101, 99, 100]), even("-t 1", &[90, 89, 91, 90])];
    let said = shown(four, "md", None);
    assert!(said.contains("a difference may be of any size") && !said.contains("below"), "{said}");
    let six = [100, 101, 99, 100, 102, 98];
    let said = shown(vec![even("default", &six), even("-t 1", &six)], "md", None);
    assert!(said.contains("leave room for is 0.0 %, which is below --resolution"), "{said}");
}

#[test]
fn the_recommended_setting_stands_out_in_the_picture() {
    let picture = panels(&trials());
    assert_eq!(picture.panels.len(), 1, "no answers were compared");
    let drawn = svg(&picture);
    assert!(drawn.contains("-t 1 -ub 64") && drawn.contains("recommended"), "{drawn}");
}

#[test]
fn a_report_begins_with_what_the_race_came_to() {
    let said = |trials: Vec<Trial>| verdicts(&Tune, &Run { trials, ..Run::default() });
    let won = said(trials());
    assert_eq!(won[0].text, "one setting is the best; recommended: -t 1");
    assert_eq!(won[0].standing, Standing::Good);
    assert!(won[1].text.starts_with("confirmation: confirmed, 1.115 times"), "{won:?}");
    let rates: Vec<&str> = won[2..].iter().map(|row| row.text.as_str()).collect();
    assert!(rates[0].starts_with("default: t/s") && rates[1].starts_with("-t 1: t/s"), "{rates:?}");
    let even = |name| with_fate(trial(name, &[100, 101, 99, 100]), Fate::Even, 4);
    let open = said(vec![even("default"), even("-t 1")]);
    assert_eq!(open[0].text, "no difference; recommended: default");
    assert_eq!((open[0].standing, open.len()), (Standing::Open, 2));
}

/// A report of these trials in a format of tables, or as a page.
fn reported(trials: Vec<Trial>, format: &str) -> String {
    let runs = [Run { trials, ..Run::default() }];
    let document = crate::reported::report(&Tune, &runs, &["run.json".to_owned()], &[]);
    let title = document.title.clone().unwrap_or_default();
    let cover = pacemark_report::Cover { title, ..Default::default() };
    match pacemark_report::page::find(format) {
        Some(page) => String::from_utf8((page.write)(&cover, &[document]).unwrap()).unwrap(),
        None => render(&document, find(format).unwrap(), &Page::default()),
    }
}

#[test]
fn a_report_says_what_was_searched_and_each_thing_once() {
    let what = "model.gguf: the most throughput, prompts of 100 tokens and 9 generated";
    for format in ["html", "md", "table"] {
        let said = reported(trials(), format);
        let n = |words: &str| said.matches(words).count();
        assert_eq!(n(what), 1, "{format}: {said}");
        assert_eq!(n("under "), 0, "{format}: there was no target: {said}");
        assert_eq!(n("one setting is the best"), 1, "{format}: {said}");
        assert_eq!(n("confirmed, 1.115 times"), 1, "{format}: {said}");
        assert_eq!(n("settings raced in turn"), 1, "{format}: {said}");
        assert_eq!(n("pacemark bench -m model.gguf -t 1"), 1, "what no verdict says: {said}");
    }
    let json: Value = serde_json::from_str(&reported(trials(), "json")).unwrap();
    assert_eq!((&json["verdict"], &json["recommended"]), (&"winner".into(), &"-t 1".into()));
    let mut aimed = trials();
    for trial in &mut aimed {
        trial.params.insert(TARGETS.into(), "ttft_ms:p95<300".into());
    }
    let said = reported(aimed, "md");
    assert!(said.contains("the most throughput under ttft_ms:p95<300, prompts"), "{said}");
}

#[test]
fn a_report_says_what_the_colours_of_its_pictures_mean() {
    let meanings = ["recommended", "the default", "another setting that was left"];
    let dropped = "a setting that was dropped";
    for format in ["html", "svg"] {
        let page = reported(trials(), format);
        for words in meanings.iter().chain([&dropped, &"a line joins what no other", &"whiskers: "])
        {
            assert!(page.contains(words), "{format}: {words}");
        }
    }
    // A terminal has no colours and no whiskers.
    let text = reported(trials(), "table");
    assert!(text.contains("a line joins what no other setting beats in both\n"), "{text}");
    assert!(text.contains("in brackets: 95 % intervals") && !text.contains("whiskers"), "{text}");
    let raced = text.lines().find(|line| line.contains("-t 1 -ub 64 (a setting that was dropped)"));
    let raced = raced.unwrap_or_else(|| panic!("{text}"));
    assert!(raced.contains(": x ") && raced.contains(" … ") && raced.contains(", y "), "{raced}");
}

#[test]
fn what_is_said_of_a_search_and_its_pictures_is_there_in_chinese() {
    use pacemark_report::picture::Legend;
    let Legend { colours, notes } = Legend::of([panels(&trials())]);
    let mut said: Vec<String> = colours.into_iter().map(|(_, words)| words).chain(notes).collect();
    said.push(title(&trials()[0]));
    said.push("in brackets: 95 % intervals".to_owned());
    for words in said {
        assert!(pacemark_report::Lang::Zh.known(&words).is_some(), "{words}");
    }
}
