//! Scheduling of synthetic clusters: the whole process of `crm_simulate`, and its phases inside one process.

use super::{Bench, SIZES, corpus, heading, synthetic, text};
use crate::shell;
use anyhow::{Context, Result};
use std::{fs, path::PathBuf, process::Command};

impl Bench<'_> {
    /// Time of the whole process, reading the CIB and writing the graph included.
    pub(super) fn scheduling(&self) -> Result<()> {
        heading("scheduling (crm_simulate -x CIB -G GRAPH): user CPU, peak memory");
        for &(n_nodes, n_instances) in SIZES.iter().filter(|(_, n)| *n <= self.options.instances) {
            for state in ["running", "failed", "cold"] {
                let Some(cib) = self.synthetic(n_nodes, n_instances, state)? else { return Ok(()) };
                self.schedule(&format!("{n_nodes} nodes x {n_instances} {state}"), &cib)?;
            }
        }
        let cold = self.written("bundles-cold.xml", &synthetic::bundles(100))?;
        self.schedule("100 bundles x 3 cold", &cold)?;
        self.schedule("100 bundles x 3 running", &self.carried_out(&cold, "bundles-running.xml")?)?;
        if let Some(cib) = self.synthetic(16, 500, "cold")? {
            let args = ["-x", text(&cib), "-S", "-Q"];
            self.compare("16 nodes x 500 cold, -S", "crm_simulate", &args, None)?;
        }
        Ok(())
    }

    fn schedule(&self, what: &str, cib: &std::path::Path) -> Result<()> {
        let graph = self.inputs.join("graph.xml");
        self.compare(what, "crm_simulate", &["-x", text(cib), "-G", text(&graph), "-Q"], None)
    }

    /// Phase by phase, planning again after one changed result, and all of the corpus in one process.
    pub(super) fn in_process(&self) -> Result<()> {
        println!(
            "\nscheduling inside one process, time on the processor: the best round (and the one in the middle)"
        );
        let mut bench = Command::new(env!("CARGO"));
        bench.current_dir(shell::root()).args([
            "bench",
            "--quiet",
            "-p",
            "systole-scheduler",
            "--bench",
            "schedule",
            "--",
        ]);
        for state in ["running", "cold"] {
            bench.args(self.synthetic(16, 1000, state)?);
        }
        let cases = corpus().join("scheduler/xml");
        if cases.is_dir() {
            bench.arg("--all-of").arg(cases);
        }
        shell::run(&mut bench).context("the scheduler's own bench failed")
    }

    /// A file of this text among the bench's inputs.
    pub(super) fn written(&self, name: &str, cib: &str) -> Result<PathBuf> {
        let file = self.inputs.join(name);
        fs::write(&file, cib).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    /// The CIB that is there when all the cluster wants to do has been done.
    pub(super) fn carried_out(&self, cib: &std::path::Path, name: &str) -> Result<PathBuf> {
        let file = self.inputs.join(name);
        let mut simulate = Command::new(self.tools.join("crm_simulate"));
        simulate.args(["-Q", "-S", "-x", text(cib), "-O", text(&file)]);
        shell::run(&mut simulate).context("cannot carry out a synthetic cluster's transition")?;
        Ok(file)
    }
}
