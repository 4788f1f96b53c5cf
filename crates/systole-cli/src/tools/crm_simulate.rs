//! `crm_simulate`: what the cluster would do, now or after changes that are only thought of.

mod files;
mod profile;

use crate::{
    Exit, Session,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::{ffi::OsString, mem::ManuallyDrop, path::PathBuf};
use systole_cib::{model::Cib, xml::Document};
use systole_graph::DotStyle;
use systole_output::{
    simulation::{Audience, Manner, Moment, Narrative},
    words,
};
use systole_scheduler::{
    Overview, Status, Transition, placement::Detail, plan::Origin, rules, schedule_in_detail,
};
use systole_types::LocalTime;
use systole_whatif::{Circle, Injected, Injections, Names, OpFail};

/// Simulate the cluster's response to events.
#[derive(Parser)]
#[command(name = "crm_simulate", disable_version_flag = true)]
struct Args {
    /// Simulate the response to the live CIB
    #[arg(short = 'L', long, overrides_with_all = ["xml_file", "xml_pipe"])]
    live_check: bool,
    /// Simulate the response to the CIB in this file ("-", and the default: standard input)
    #[arg(short = 'x', long, value_name = "FILE", overrides_with_all = ["live_check", "xml_pipe"])]
    xml_file: Option<PathBuf>,
    /// Simulate the response to the CIB on standard input
    #[arg(short = 'p', long, overrides_with_all = ["live_check", "xml_file"])]
    xml_pipe: bool,
    /// Show what the cluster would do, nothing more
    #[arg(short = 'R', long)]
    run: bool,
    /// Carry the transition out, and show the resulting state
    #[arg(short = 'S', long)]
    simulate: bool,
    /// Carry the transition out, and keep the result in the input file (of --xml-file)
    #[arg(short = 'X', long)]
    in_place: bool,
    /// Show node attributes
    #[arg(short = 'A', long)]
    show_attrs: bool,
    /// Show fail counts and failures
    #[arg(short = 'c', long)]
    show_failcounts: bool,
    /// Show pending operations (they always are)
    #[arg(short = 'j', long, hide = true)]
    pending: bool,
    /// Show assignment scores
    #[arg(short = 's', long)]
    show_scores: bool,
    /// Show utilization information
    #[arg(short = 'U', long)]
    show_utilization: bool,
    /// Show all CIB files of a directory with the time each takes
    #[arg(short = 'P', long, value_name = "DIR")]
    profile: Option<PathBuf>,
    /// With --profile: schedule each this often
    #[arg(short = 'N', long, value_name = "N", default_value_t = 1)]
    repeat: u32,
    /// Bring a node online
    #[arg(short = 'u', long, value_name = "NODE")]
    node_up: Vec<String>,
    /// Take a node offline
    #[arg(short = 'd', long, value_name = "NODE")]
    node_down: Vec<String>,
    /// Mark a node as failed
    #[arg(short = 'f', long, value_name = "NODE")]
    node_fail: Vec<String>,
    /// Generate a failure for the cluster to react to: RSC_TASK_INTERVAL@NODE=RC
    #[arg(short = 'i', long, value_name = "OPSPEC")]
    op_inject: Vec<String>,
    /// If such an action is carried out, let it fail: RSC_TASK_INTERVAL@NODE=RC
    #[arg(short = 'F', long, value_name = "OPSPEC")]
    op_fail: Vec<String>,
    /// Pretend this time (ISO 8601)
    #[arg(short = 't', long, value_name = "DATETIME")]
    set_datetime: Option<String>,
    /// Set whether there is quorum
    #[arg(short = 'q', long, value_name = "VALUE")]
    quorum: Option<String>,
    /// Set whether there is a watchdog
    #[arg(short = 'w', long, value_name = "VALUE")]
    watchdog: Option<String>,
    /// Grant a ticket
    #[arg(short = 'g', long, value_name = "TICKET")]
    ticket_grant: Vec<String>,
    /// Revoke a ticket
    #[arg(short = 'r', long, value_name = "TICKET")]
    ticket_revoke: Vec<String>,
    /// Make a ticket standby
    #[arg(short = 'b', long, value_name = "TICKET")]
    ticket_standby: Vec<String>,
    /// Activate a ticket
    #[arg(short = 'e', long, value_name = "TICKET")]
    ticket_activate: Vec<String>,
    /// Save the CIB as it is before the transition
    #[arg(short = 'I', long, value_name = "FILE")]
    save_input: Option<PathBuf>,
    /// Save the CIB as it is after the transition
    #[arg(short = 'O', long, value_name = "FILE")]
    save_output: Option<PathBuf>,
    /// Save the transition graph
    #[arg(short = 'G', long, value_name = "FILE")]
    save_graph: Option<PathBuf>,
    /// Save the transition graph for Graphviz
    #[arg(short = 'D', long, value_name = "FILE")]
    save_dotfile: Option<PathBuf>,
    /// With --save-dotfile: all actions, also those that need not be done
    #[arg(short = 'a', long)]
    all_actions: bool,
    /// Say more
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say less
    #[arg(short = 'Q', long)]
    quiet: bool,
    /// Form of the output.
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, perform)
}

fn perform(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    let narrative = Narrative::new(args.manner(session));
    if let Some(directory) = &args.profile {
        return profile::profile(session, args, directory, narrative);
    }
    let (document, source) = files::read(session, args)?;
    let mut document = kept(document);
    complain(session, &document, args.verbose > 0);
    files::bring_up(session, &mut document)?;
    let output = if args.in_place { source.as_ref() } else { args.save_output.as_ref() };
    if let Some(file) = output {
        files::write(file, &document.to_text())?;
    }
    let mut simulation = Simulation { session, args, narrative, pretended: None, errors: Vec::new() };
    simulation.pretend_time();
    let exit = simulation.simulate(&mut document)?;
    let Simulation { narrative, mut errors, .. } = simulation;
    if let Some(file) = output
        && let Err(error) = files::write(file, &document.to_text())
    {
        errors.push(error.to_string());
    }
    let exit = Some(exit).filter(|exit| *exit != Exit::Ok);
    Ok(Report { text: narrative.text, trees: narrative.trees, errors, exit, ..Report::default() })
}

/// A value that is not taken apart at the end: the process ends then, and giving back its many pieces one by one would take
/// a good part of the time that planning takes.
fn kept<T>(value: T) -> ManuallyDrop<T> {
    ManuallyDrop::new(value)
}

/// Says what is doubtful about a CIB, where neither output nor exit code tell.
fn complain(session: &mut Session<'_>, document: &Document, in_detail: bool) {
    if document.root().attr("validate-with") == Some("none") {
        session.complain(
            "Schema validation of configuration is disabled (support for validate-with set to \"none\" is deprecated \
             and will be removed in a future release)",
        );
    }
    if in_detail {
        let (_, diagnostics) = systole_cib::read(document);
        diagnostics.iter().for_each(|diagnostic| session.complain(&diagnostic.to_string()));
    }
}

/// One run, and what has been told so far.
struct Simulation<'s, 'a> {
    session: &'s Session<'a>,
    args: &'s Args,
    narrative: Narrative,
    /// The time that is pretended.
    pretended: Option<LocalTime>,
    errors: Vec<String>,
}

impl Simulation<'_, '_> {
    /// A date that cannot be read makes no difference, as in the reference release; here it is told.
    fn pretend_time(&mut self) {
        let Some(text) = &self.args.set_datetime else { return };
        let now = self.session.local_time();
        self.pretended = rules::parse_local_time(text, now).or_else(|| {
            self.errors
                .push(format!("{text:?} is not a date as in ISO 8601: it is taken for the present time"));
            Some(now)
        });
    }

    /// Tells the state, makes changes, plans, and carries the plan out, as far as each is wanted.
    fn simulate(&mut self, document: &mut Document) -> anyhow::Result<Exit> {
        let mut cib = kept(self.read(document));
        let injections = self.args.injections();
        if self.narrative.has_states() || !injections.is_empty() {
            let status = Status::unpack(&cib, self.time_of(&cib));
            self.narrative.changes_of_unfencing(Moment::Current, &status);
            if self.narrative.has_states() {
                self.narrative.state(Moment::Current, &self.overview(&status));
            }
            let may_go_on = injections.is_empty() || self.inject(document, &status, &injections);
            if !may_go_on {
                return Ok(Exit::NoSuch);
            }
        }
        if !injections.is_empty() {
            cib = kept(self.read(document));
            if cib.mentions_unfencing {
                self.narrative
                    .changes_of_unfencing(Moment::Current, &Status::unpack(&cib, self.time_of(&cib)));
            }
        }
        if let Some(file) = &self.args.save_input
            && let Err(error) = files::write(file, &document.to_text())
        {
            self.errors.push(error.to_string());
            return Ok(error.exit);
        }
        if !self.args.plans() {
            return Ok(Exit::Ok);
        }
        if !self.args.ends_with_document() {
            // The plan can do with its memory.
            *document = Document::new("cib");
        }
        let origin = if self.args.live_check { Origin::Cluster } else { Origin::Shown };
        let transition = kept(schedule_in_detail(&cib, self.time_of(&cib), self.args.detail(), origin));
        self.narrative.scores(&transition);
        if let Err(message) = self.save(&transition) {
            self.errors.push(message);
            return Ok(Exit::Io);
        }
        self.narrative.changes(&transition);
        Ok(if self.args.carries_out() { self.carry_out(document, &transition) } else { Exit::Ok })
    }

    /// As much of the state as is shown.
    fn overview(&self, status: &Status<'_>) -> Overview {
        if self.args.show_failcounts { Overview::new(status) } else { Overview::without_history(status) }
    }

    /// The CIB as the scheduler reads it, with the moment it is looked at.
    fn read(&mut self, document: &Document) -> Cib {
        let (mut cib, _) = systole_cib::read(document);
        match (&self.args.set_datetime, cib.execution_date) {
            (Some(text), _) => self.narrative.remark(&format!("Setting effective cluster time: {text}")),
            (None, Some(at)) => {
                let text = format!("Using the original execution date of: {}", words::utc_text(at));
                self.narrative.remark(&text);
            }
            (None, None) => {}
        }
        cib.execution_date = self.pretended.map(|now| now.at).or(cib.execution_date);
        cib
    }

    fn time_of(&self, cib: &Cib) -> LocalTime {
        let now = self.session.local_time();
        self.pretended.unwrap_or(LocalTime { at: cib.execution_date.unwrap_or(now.at), ..now })
    }

    /// Makes the changes asked for; whether anything can be said about what comes of them.
    fn inject(&mut self, document: &mut Document, status: &Status<'_>, injections: &Injections) -> bool {
        let results = systole_whatif::inject(document, status, injections, self.session.now);
        let may_go_on = !results.iter().any(|result| result.as_ref().is_err_and(|error| error.is_fatal()));
        let mut done: Vec<Injected> = Vec::new();
        for result in results {
            match result {
                Ok(injected) => done.push(injected),
                Err(error) => self.errors.push(error.to_string()),
            }
        }
        self.narrative.modifications(&done);
        may_go_on
    }

    fn save(&self, transition: &Transition<'_>) -> Result<(), String> {
        if let Some(file) = &self.args.save_graph {
            files::write_graph(file, &transition.graph).map_err(|error| format!("{error} (graph)"))?;
        }
        if let (Some(file), Some(drawing)) = (&self.args.save_dotfile, &transition.drawing) {
            let style = DotStyle { all_actions: self.args.all_actions, ids: self.args.verbose > 0 };
            files::write(file, &drawing.to_dot(style)).map_err(|error| format!("{error} (dot)"))?;
        }
        Ok(())
    }

    fn carry_out(&mut self, document: &mut Document, transition: &Transition<'_>) -> Exit {
        let mut failures: Vec<OpFail> = Vec::new();
        for spec in &self.args.op_fail {
            match spec.parse() {
                Ok(failure) => failures.push(failure),
                Err(error) => self.errors.push(format!("{error}")),
            }
        }
        let names = Names::of(&transition.status);
        let now = self.session.now;
        let outcome = systole_whatif::carry_out(document, &transition.graph, &names, &failures, now);
        self.narrative.steps(&outcome.steps);
        if !outcome.is_complete {
            self.errors.push("Transition failed: terminated".to_owned());
            self.errors.push("An invalid transition was produced".to_owned());
            self.errors.extend(Circle::of(transition).map(|circle| circle.to_string()));
        }
        if self.narrative.has_states() {
            let cib = kept(self.read(document));
            let status = Status::unpack(&cib, self.time_of(&cib));
            self.narrative.changes_of_unfencing(Moment::Revised, &status);
            self.narrative.state(Moment::Revised, &self.overview(&status).without_pending());
        }
        if outcome.is_complete { Exit::Ok } else { Exit::Error }
    }
}

impl Args {
    fn manner(&self, session: &Session<'_>) -> Manner {
        Manner {
            audience: match (self.output.is_for_programs(), self.quiet) {
                (true, _) => Audience::Programs,
                (false, true) => Audience::PeopleInAHurry,
                (false, false) => Audience::People,
            },
            attributes: self.show_attrs,
            fail_counts: self.show_failcounts,
            scores: self.show_scores,
            utilization: self.show_utilization,
            now: session.now,
            utc_offset: session.utc_offset,
        }
    }

    fn injections(&self) -> Injections {
        Injections {
            quorum: self.quorum.clone(),
            watchdog: self.watchdog.clone(),
            node_up: self.node_up.clone(),
            node_down: self.node_down.clone(),
            node_fail: self.node_fail.clone(),
            ticket_grant: self.ticket_grant.clone(),
            ticket_revoke: self.ticket_revoke.clone(),
            ticket_standby: self.ticket_standby.clone(),
            ticket_activate: self.ticket_activate.clone(),
            op_inject: self.op_inject.clone(),
        }
    }

    /// Whether the transition is carried out.
    fn carries_out(&self) -> bool {
        self.simulate || self.in_place || !self.op_fail.is_empty()
    }

    /// Whether the document is of use once the CIB has been read from it for the plan.
    fn ends_with_document(&self) -> bool {
        self.carries_out() || self.save_output.is_some()
    }

    /// Whether there is a transition at all.
    fn plans(&self) -> bool {
        let saves = self.save_graph.is_some() || self.save_dotfile.is_some();
        self.run || self.carries_out() || saves || self.show_scores || self.show_utilization
    }

    fn detail(&self) -> Detail {
        // The numbers of actions are told where one is pretended to fail: those of all that were considered, then.
        if self.save_dotfile.is_some() || !self.op_fail.is_empty() {
            Detail::Drawing
        } else if self.show_scores || self.show_utilization {
            Detail::Scores
        } else {
            Detail::Result
        }
    }

    /// The file that is named as the source of the CIB.
    fn file(&self) -> Option<&PathBuf> {
        self.xml_file.as_ref().filter(|file| !self.live_check && !self.xml_pipe && file.as_os_str() != "-")
    }
}
