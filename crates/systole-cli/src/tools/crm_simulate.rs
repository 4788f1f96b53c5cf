//! `crm_simulate`: what the cluster would do, now or after changes that are only thought of.

use crate::{Cluster, Exit, Failed, Session, args};
use anyhow::Context as _;
use clap::Parser;
use std::{ffi::OsString, fmt::Write as _, fs, mem::ManuallyDrop, path::PathBuf, time::Instant};
use systole_cib::{model::Cib, xml::Document};
use systole_output::{outline, status::ListOptions, words};
use systole_scheduler::{Overview, Status, Transition};
use systole_types::Timestamp;
use systole_whatif::{Injections, OpFail, Step};

/// Simulate the cluster's response to events.
#[derive(Parser)]
#[command(name = "crm_simulate", disable_version_flag = true)]
struct Args {
    /// Simulate the response to the live CIB
    #[arg(short = 'L', long)]
    live_check: bool,
    /// Simulate the response to the CIB in this file ("-" for standard input)
    #[arg(short = 'x', long, value_name = "FILE")]
    xml_file: Option<PathBuf>,
    /// Take this XML as the CIB
    #[arg(short = 'p', long, hide = true)]
    xml_pipe: bool,
    /// Show what the cluster would do, nothing more
    #[arg(short = 'R', long)]
    run: bool,
    /// Carry the transition out, and show the resulting state
    #[arg(short = 'S', long)]
    simulate: bool,
    /// Carry the transition out, and keep the result in the input file
    #[arg(short = 'X', long)]
    in_place: bool,
    /// Show resource and node attributes
    #[arg(short = 'A', long)]
    show_attrs: bool,
    /// Show fail counts
    #[arg(long)]
    show_failcounts: bool,
    /// Show pending operations (they always are)
    #[arg(short = 'j', long)]
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
    /// Pretend this time: seconds since the epoch, or ISO 8601
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
    /// Save the CIB as it is read
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
    /// With --save-dotfile: all actions
    #[arg(short = 'a', long)]
    all_actions: bool,
    /// Say more
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say less
    #[arg(short = 'Q', long)]
    quiet: bool,
    /// Show only what is said
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output_as: String,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, args: &[OsString]) -> anyhow::Result<Exit> {
    let args: Args = match args::parse_tool(session, args)? {
        args::Parsed::Go(args) => args,
        args::Parsed::Over(exit) => return Ok(exit),
    };
    args.refuse_missing()?;
    if let Some(directory) = &args.profile {
        return profile(session, &args, directory);
    }
    let (document, source) = read(session, &args)?;
    let mut document = kept(document);
    let now = effective_time(session, &args)?;
    if let Some(file) = &args.save_input {
        write_file(file, &document.to_text())?;
    }
    let mut simulation = Simulation { session, args: &args, now, has_printed: false };
    let exit = simulation.run(&mut document)?;
    if let Some(file) = &args.save_output {
        write_file(file, &document.to_text())?;
    }
    if let (true, Some(file)) = (args.in_place, source) {
        write_file(&file, &document.to_text())?;
    }
    Ok(exit)
}

/// A value that is not taken apart at the end: the process ends then, and giving back its many pieces one by one would take
/// a good part of the time that planning takes.
fn kept<T>(value: T) -> ManuallyDrop<T> {
    ManuallyDrop::new(value)
}

/// The CIB, and the file it came from.
fn read(session: &mut Session<'_>, args: &Args) -> anyhow::Result<(Document, Option<PathBuf>)> {
    if args.live_check && args.xml_file.is_none() {
        let mut cluster = Cluster::open(session)?;
        let file = cluster.file().map(|file| file.to_owned());
        return Ok((cluster.cib()?, file));
    }
    let file = args.xml_file.clone().filter(|file| file.as_os_str() != "-");
    let text = match &file {
        Some(file) => fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
        None if args.xml_file.is_some() || args.xml_pipe => {
            String::from_utf8(session.read_input()?).context("standard input is not text")?
        }
        None => return Err(Failed::usage("give --live-check, or a file with --xml-file")),
    };
    let name = file.as_ref().map_or_else(|| "-".to_owned(), |file| file.display().to_string());
    let document = Document::parse(text)
        .map_err(|error| Failed::new(Exit::Data, format!("{name}: {error}")))?
        .from_file(&name);
    if document.root().name() != "cib" {
        let message = format!("{name}: not a CIB: the outermost element is <{}>", document.root().name());
        return Err(Failed::new(Exit::Data, message).into());
    }
    Ok((document, file))
}

fn effective_time(session: &Session<'_>, args: &Args) -> anyhow::Result<Option<Timestamp>> {
    let Some(text) = &args.set_datetime else { return Ok(None) };
    let parsed = systole_scheduler::rules::parse_date_time(text, session.now, 0);
    let error = || Failed::usage(format!("{text:?} is not a date (seconds since the epoch, or ISO 8601)"));
    parsed.map(Some).ok_or_else(error)
}

fn write_file(file: &PathBuf, text: &str) -> anyhow::Result<()> {
    if file.as_os_str() == "-" {
        return {
            print!("{text}");
            Ok(())
        };
    }
    fs::write(file, text).map_err(|error| {
        Failed::new(Exit::CannotCreate, format!("cannot write {}: {error}", file.display())).into()
    })
}

/// One run, and what it has said so far.
struct Simulation<'s, 'a> {
    session: &'s mut Session<'a>,
    args: &'s Args,
    now: Option<Timestamp>,
    has_printed: bool,
}

impl Simulation<'_, '_> {
    fn run(&mut self, document: &mut Document) -> anyhow::Result<Exit> {
        let cib = kept(self.read_cib(document, true)?);
        self.say_time(&cib)?;
        let injections = self.injections();
        if !self.args.quiet || !injections.is_empty() {
            let status = Status::unpack(&cib, self.time_of(&cib));
            self.say_status(&status, "Current cluster status", true)?;
            if !injections.is_empty() {
                self.inject(document, &status, &injections)?;
            }
        }
        if !(self.args.run || self.args.simulate || self.args.in_place || self.args.saves_plan()) {
            return Ok(Exit::Ok);
        }
        let cib = if injections.is_empty() { cib } else { kept(self.read_cib(document, false)?) };
        if !injections.is_empty() {
            self.say_time(&cib)?;
        }
        let transition = kept(systole_scheduler::schedule_in_detail(
            &cib,
            self.time_of(&cib),
            self.args.detail(),
            systole_scheduler::plan::Origin::Shown,
        ));
        self.say_scores(&transition)?;
        if let Some(file) = &self.args.save_graph {
            write_file(file, &systole_graph::write_graph(&transition.graph))?;
        }
        if let (Some(file), Some(drawing)) = (&self.args.save_dotfile, &transition.drawing) {
            let style =
                systole_graph::DotStyle { all_actions: self.args.all_actions, ids: self.args.verbose > 0 };
            write_file(file, &drawing.to_dot(style))?;
        }
        if !self.args.quiet {
            self.heading("Transition Summary")?;
            self.items(transition.changes.iter().map(|change| &*change.text))?;
        }
        if !(self.args.simulate || self.args.in_place) {
            return Ok(Exit::Ok);
        }
        self.carry_out(document, &transition)
    }

    fn read_cib(&mut self, document: &Document, with_diagnostics: bool) -> anyhow::Result<Cib> {
        let (cib, diagnostics) = systole_cib::read(document);
        if with_diagnostics && cib.validate_with.as_deref() == Some("none") {
            self.session.complain(
                "Schema validation of configuration is disabled (support for validate-with set to \"none\" is deprecated \
                 and will be removed in a future release)",
            );
        }
        if with_diagnostics && self.args.verbose > 0 {
            for diagnostic in diagnostics {
                self.session.complain(&diagnostic.to_string());
            }
        }
        Ok(cib)
    }

    fn time_of(&self, cib: &Cib) -> Timestamp {
        self.now.or(cib.execution_date).unwrap_or(self.session.now)
    }

    fn say_time(&mut self, cib: &Cib) -> anyhow::Result<()> {
        let text = match (&self.args.set_datetime, cib.execution_date) {
            (Some(text), _) => format!("Setting effective cluster time: {text}\n"),
            (None, Some(at)) => format!("Using the original execution date of: {}\n", words::utc_text(at)),
            (None, None) => return Ok(()),
        };
        if !self.args.quiet {
            self.session.print(&text)?;
        }
        Ok(())
    }

    fn injections(&self) -> Injections {
        let args = self.args;
        Injections {
            quorum: args.quorum.clone(),
            watchdog: args.watchdog.clone(),
            node_up: args.node_up.clone(),
            node_down: args.node_down.clone(),
            node_fail: args.node_fail.clone(),
            ticket_grant: args.ticket_grant.clone(),
            ticket_revoke: args.ticket_revoke.clone(),
            ticket_standby: args.ticket_standby.clone(),
            ticket_activate: args.ticket_activate.clone(),
            op_inject: args.op_inject.clone(),
        }
    }

    fn inject(
        &mut self,
        document: &mut Document,
        status: &Status<'_>,
        injections: &Injections,
    ) -> anyhow::Result<()> {
        if !self.args.quiet {
            self.heading("Performing Requested Modifications")?;
        }
        for done in systole_whatif::inject(document, status, injections, self.session.now) {
            match done {
                Ok(done) if !self.args.quiet => self.items([done.0.as_str()].into_iter())?,
                Ok(_) => {}
                Err(error) => self.session.complain(&format!("crm_simulate: {error}")),
            }
        }
        Ok(())
    }

    fn heading(&mut self, title: &str) -> anyhow::Result<()> {
        if self.has_printed {
            self.session.print("\n")?;
        }
        self.has_printed = true;
        Ok(self.session.print(&format!("{title}:\n"))?)
    }

    fn items<'t>(&mut self, items: impl Iterator<Item = &'t str>) -> anyhow::Result<()> {
        let mut text = String::new();
        items.for_each(|item| {
            let _ = writeln!(text, "  * {item}");
        });
        Ok(self.session.print(&text)?)
    }

    fn say_status(&mut self, status: &Status<'_>, title: &str, is_first: bool) -> anyhow::Result<()> {
        if self.args.quiet {
            return Ok(());
        }
        let overview = Overview::new(status);
        let overview = if is_first { overview } else { overview.without_pending() };
        let summary = &overview.summary;
        if is_first && summary.maintenance {
            let text = "\n              *** Resource management is DISABLED ***\n  \
                        The cluster will not attempt to start, stop or recover services\n";
            self.session.print(text)?;
            self.has_printed = true;
        }
        if is_first && (summary.n_disabled > 0 || summary.n_blocked > 0) {
            let (n_disabled, n_blocked) = (summary.n_disabled, summary.n_blocked);
            let all = summary.n_instances;
            let space = if self.has_printed { "\n" } else { "" };
            self.session.print(&format!(
                "{space}{n_disabled} of {all} resource instances DISABLED and {n_blocked} BLOCKED from further \
                 action due to failure\n"
            ))?;
            self.has_printed = true;
        }
        self.heading(title)?;
        let options = ListOptions { inactive: true, ..ListOptions::default() };
        let style = outline::Style { depth: 2, ..outline::Style::default() };
        let nodes = systole_output::status::node_list(&overview, &options).render(style);
        let resources = systole_output::status::resource_list(&overview, &options).render(style);
        if !nodes.is_empty() {
            self.session.print(&format!("  * Node List:\n{nodes}\n"))?;
        }
        if resources.is_empty() {
            self.session.print("  * Full List of Resources:\n    * No resources\n")?;
        } else {
            self.session.print(&format!("  * Full List of Resources:\n{resources}"))?;
        }
        Ok(())
    }

    fn say_scores(&mut self, transition: &Transition<'_>) -> anyhow::Result<()> {
        if !self.args.show_scores {
            return Ok(());
        }
        let is_listed = !self.args.quiet;
        if is_listed {
            self.heading("Assignment Scores")?;
        }
        let lines: Vec<String> = transition
            .placement
            .scores
            .iter()
            .filter(|line| line.is_score())
            .map(|line| line.text(&transition.status))
            .collect();
        let bullet = if is_listed { "  * " } else { "" };
        for line in lines {
            self.session.print(&format!("{bullet}{line}\n"))?;
        }
        Ok(())
    }

    fn carry_out(&mut self, document: &mut Document, transition: &Transition<'_>) -> anyhow::Result<Exit> {
        let failures: Result<Vec<OpFail>, _> = self.args.op_fail.iter().map(|spec| spec.parse()).collect();
        let failures = failures.map_err(|error| Failed::usage(error.to_string()))?;
        let known: std::collections::BTreeSet<&str> = transition
            .status
            .iter_resources()
            .flat_map(|(_, rsc)| [Some(rsc.id.as_str()), rsc.history_id.as_ref().map(|id| id.as_str())])
            .flatten()
            .collect();
        let knows = |name: &str| known.contains(name);
        let now = self.session.now;
        let outcome = systole_whatif::carry_out(document, &transition.graph, &knows, &failures, now);
        if !self.args.quiet {
            self.heading("Executing Cluster Transition")?;
            let lines: Vec<String> = outcome.steps.iter().map(step_text).collect();
            self.items(lines.iter().map(String::as_str))?;
        }
        if !outcome.is_complete {
            self.session.complain("Transition failed: terminated\nAn invalid transition was produced");
        }
        if !self.args.quiet {
            let cib = self.read_cib(document, false)?;
            self.say_time(&cib)?;
            let status = Status::unpack(&cib, self.time_of(&cib));
            self.say_status(&status, "Revised Cluster Status", false)?;
        }
        Ok(if outcome.is_complete { Exit::Ok } else { Exit::Software })
    }
}

impl Args {
    /// Options of the incumbent's that are read, so that they can be named here, and not yet carried out.
    fn refuse_missing(&self) -> anyhow::Result<()> {
        let missing = [
            (self.output_as != "text", "--output-as other than text"),
            (self.show_utilization, "--show-utilization"),
            (self.show_attrs, "--show-attrs"),
            (self.show_failcounts, "--show-failcounts"),
        ];
        match missing.iter().find(|(given, _)| *given) {
            Some((_, option)) => {
                Err(Failed::new(Exit::Unimplemented, format!("{option} is not available yet; leave it out"))
                    .into())
            }
            None => Ok(()),
        }
    }

    fn saves_plan(&self) -> bool {
        self.save_graph.is_some()
            || self.save_dotfile.is_some()
            || self.show_scores
            || !self.op_fail.is_empty()
            || !self.node_up.is_empty()
            || !self.node_down.is_empty()
            || !self.node_fail.is_empty()
            || !self.op_inject.is_empty()
    }

    fn detail(&self) -> systole_scheduler::placement::Detail {
        use systole_scheduler::placement::Detail;
        if self.save_dotfile.is_some() {
            Detail::Drawing
        } else if self.show_scores {
            Detail::Scores
        } else {
            Detail::Result
        }
    }
}

fn step_text(step: &Step) -> String {
    match step {
        Step::Pseudo { key, node: Some(node) } => format!("Pseudo action:   {key} on {node}"),
        Step::Pseudo { key, node: None } => format!("Pseudo action:   {key}"),
        Step::Resource { resource, operation, interval_ms: 0, node } => {
            format!("Resource action: {resource:<15} {operation} on {node}")
        }
        Step::Resource { resource, operation, interval_ms, node } => {
            format!("Resource action: {resource:<15} {operation}={interval_ms} on {node}")
        }
        Step::Cluster { operation, resource: Some(resource), node } => {
            format!("Cluster action:  {operation} for {resource} on {node}")
        }
        Step::Cluster { operation, resource: None, node } => {
            format!("Cluster action:  {operation} on {node}")
        }
        Step::Fencing { target, action } => format!("Fencing {target} ({action})"),
        Step::Pretended { action, rc } => format!("Pretending action {action} failed with rc={}", rc.code()),
    }
}

/// Schedules every CIB of a directory, and tells how long each took.
fn profile(session: &mut Session<'_>, args: &Args, directory: &PathBuf) -> anyhow::Result<Exit> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "xml"));
    files.sort();
    if !files.is_empty() {
        session.print("Timings:\n")?;
    }
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let begin = Instant::now();
        let Ok(document) = Document::parse(text) else { continue };
        let (cib, _) = systole_cib::read(&document);
        for _ in 0..args.repeat {
            let now = cib.execution_date.unwrap_or(session.now);
            systole_scheduler::schedule_in_detail(
                &cib,
                now,
                args.detail(),
                systole_scheduler::plan::Origin::Shown,
            );
        }
        let seconds = begin.elapsed().as_secs_f64();
        session.print(&format!("  * Testing {} ... {seconds:.2} secs\n", file.display()))?;
    }
    Ok(Exit::Ok)
}
