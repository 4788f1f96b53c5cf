//! What `systole explain` advises is true: each change it prints is made by the real command on a file, and the resource is
//! then where it was wanted.
//!
//! Over the public scheduler corpus, which lies beside the repository or where `SYSTOLE_CORPUS` says. `SYSTOLE_CASE=NAME` looks
//! at one case, `SYSTOLE_CASE=all` at all (minutes); else the cases named here are looked at.

mod support;

use std::{collections::BTreeMap, fs, path::Path};
use systole_cib::{read, xml::Document};
use systole_cli::{Exit, Session};
use systole_scheduler::{Status, plan::Origin};
use systole_types::{LocalTime, Timestamp};
use systole_whatif::{Event, Goal, Moment, follow};

/// Cases that stand for many: bans, failures, tickets, health, capacity, quorum, standby, colocations.
const CASES: [&str; 26] = [
    "coloc-negative-group",
    "colocate-unmanaged-group",
    "colocated-utilization-primitive-1",
    "failcount",
    "failcount-block",
    "failed-probe-primitive",
    "group-fail",
    "group-unmanaged-stopped",
    "node-maintenance-1",
    "on_fail_demote2",
    "order-mandatory",
    "quorum-2",
    "quorum-4",
    "rec-rsc-4",
    "rsc-discovery-per-node",
    "shutdown-lock",
    "standby",
    "systemhealth1",
    "systemhealthm1",
    "template-ticket",
    "ticket-clone-1",
    "ticket-group-3",
    "ticket-primitive-2",
    "ticket-promoted-4",
    "unmanaged-block-restart",
    "utilization",
];

const NOW: Timestamp = Timestamp(1_767_225_600);
const MOMENT: Moment = Moment { now: LocalTime { at: NOW, utc_offset: 0 }, origin: Origin::Shown };

/// Runs a command on the CIB in `file`.
fn run(file: &Path, words: &[&str]) -> (Exit, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut session = Session {
        tool: "systole".to_owned(),
        command_line: String::new(),
        env: BTreeMap::from([("CIB_file".into(), file.into())]),
        input: &mut std::io::empty(),
        out: &mut out,
        err: &mut err,
        on_terminal: false,
        now: NOW,
        utc_offset: 0,
        rehearsal: None,
        answer_limit: None,
    };
    let words: Vec<_> = words.iter().map(Into::into).collect();
    let exit = systole_cli::run(&mut session, &words);
    out.extend(err);
    (exit, String::from_utf8_lossy(&out).into_owned())
}

fn document(file: &Path) -> Document {
    Document::parse(fs::read_to_string(file).expect("the CIB is there")).expect("XML")
}

/// How many copies there are at rest.
fn at_rest(document: Document, goal: &Goal) -> u32 {
    let (cib, _) = read(&follow(document, MOMENT).document);
    goal.count(&Status::unpack(&cib, cib.execution_date.unwrap_or(NOW)))
}

/// Makes one change, by the command itself; what is no command happens.
fn make(file: &Path, words: &str) {
    let words: Vec<&str> = words.split(' ').collect();
    if let Some(event) = Event::from_words(&words, NOW.into()) {
        let mut document = document(file);
        event.happen(&mut document, NOW);
        fs::write(file, document.to_text()).expect("the disk has room");
        return;
    }
    let (exit, said) = run(file, words.strip_prefix(&["systole"]).unwrap_or(&words));
    assert_eq!(exit, Exit::Ok, "{words:?}: {said}");
}

#[derive(Default)]
struct Tally {
    n_wanted: usize,
    n_helped: usize,
    n_changes: usize,
    untold: Vec<String>,
    untrue: Vec<String>,
}

#[test]
fn what_is_advised_helps_when_the_command_is_run() {
    let is_chosen = systole_reference::chosen().is_some();
    let mut cases = systole_reference::scheduler_cases();
    cases.retain(|case| is_chosen || CASES.contains(&case.name.as_str()));
    if cases.is_empty() {
        return;
    }
    let place = support::Place::new();
    let mut tally = Tally::default();
    for case in &cases {
        let begin = std::time::Instant::now();
        check_case(&case.name, &case.file("xml"), &place.dir.join("cib.xml"), &mut tally);
        println!("{}: {:.2} s", case.name, begin.elapsed().as_secs_f64());
    }
    println!(
        "{} resources not where one would expect, advice for {}, {} changes tried by the command",
        tally.n_wanted, tally.n_helped, tally.n_changes
    );
    if is_chosen {
        println!("no advice for: {}", tally.untold.join(" "));
    }
    assert!(tally.n_changes > 0, "no case had anything to advise");
    assert!(tally.untrue.is_empty(), "these do not help:\n{}", tally.untrue.join("\n"));
}

fn check_case(name: &str, source: &Path, file: &Path, tally: &mut Tally) {
    fs::copy(source, file).expect("the disk has room");
    let original = document(file);
    let (cib, _) = read(&original);
    let status = Status::unpack(&cib, cib.execution_date.unwrap_or(NOW));
    let roots: Vec<String> = status
        .roots
        .iter()
        .filter(|root| status.rsc(**root).removed.is_none())
        .map(|root| status.rsc(*root).id.to_string())
        .collect();
    for root in roots {
        let (exit, json) = run(file, &["explain", &root, "--json"]);
        assert_eq!(exit, Exit::Ok, "{name}: explain {root}: {json}");
        let answer: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        for advice in answer["explanation"][0]["advice"].as_array().into_iter().flatten() {
            if advice["under_way"] == true {
                continue;
            }
            tally.n_wanted += 1;
            let changes: Vec<_> = advice["change"].as_array().into_iter().flatten().collect();
            if changes.is_empty() {
                tally.untold.push(format!("{name}:{root}"));
                continue;
            }
            tally.n_helped += 1;
            let promoted = advice["goal"].as_str().expect("text").contains("promoted");
            let goal = Goal { resource: root.clone(), node: None, promoted, copies: 1 };
            let before = at_rest(original.clone(), &goal);
            for change in changes {
                tally.n_changes += 1;
                let commands = change["command"].as_array().expect("commands");
                let commands: Vec<&str> =
                    commands.iter().map(|command| command["plan"].as_str().expect("words")).collect();
                commands.iter().for_each(|words| make(file, words));
                if at_rest(document(file), &goal) <= before {
                    tally.untrue.push(format!("{name}: {root}: {}", commands.join(" then ")));
                }
                fs::copy(source, file).expect("the disk has room");
            }
        }
    }
}
