//! How the time to schedule grows with the number of instances, and with the number of nodes: exponents fitted to series.

use super::{Bench, synthetic, text};
use crate::measure;
use anyhow::Result;
use std::{path::PathBuf, time::Duration};

/// One cluster of a series: what grows, and the CIB.
type Point = (u32, PathBuf);

impl Bench<'_> {
    /// Prints each series with the exponent `e` of the law `time = c * size^e` that fits it best, and the one that fits
    /// `n log n` best over the same sizes: more than that is too much.
    pub(super) fn growth(&self) -> Result<()> {
        println!("\ngrowth of scheduling (crm_simulate -x CIB -G GRAPH), time on the processor");
        let (instances, nodes): (&[u32], &[u32]) = if self.options.full_growth {
            (&[1250, 2500, 5000, 10_000], &[8, 16, 32, 64])
        } else {
            (&[500, 1000, 2000, 4000], &[4, 8, 16, 32])
        };
        let (most_nodes, most_instances) = if self.options.full_growth { (64, 10_000) } else { (16, 1000) };
        for state in ["running", "cold"] {
            let at = |n_nodes, n_instances| self.synthetic(n_nodes, n_instances, state);
            self.series(&format!("instances on {most_nodes} nodes, {state}"), instances, |n| {
                at(most_nodes, n)
            })?;
            self.series(&format!("nodes for {most_instances} instances, {state}"), nodes, |n| {
                at(n, most_instances)
            })?;
        }
        let (remotes, instances, most_remotes, most_instances): (&[u32], &[u32], u32, u32) =
            if self.options.full_growth {
                (&[125, 250, 500, 1000], &[1250, 2500, 5000, 10_000], 1000, 10_000)
            } else {
                (&[25, 50, 100, 200], &[250, 500, 1000, 2000], 100, 1000)
            };
        for is_running in [false, true] {
            let at = |n_remotes, n_instances| self.remotes(n_remotes, n_instances, is_running).map(Some);
            let state = if is_running { "running" } else { "cold" };
            let what = format!("instances on {most_remotes} remote nodes, {state}");
            self.series(&what, instances, |n| at(most_remotes, n))?;
            let what = format!("remote nodes for {most_instances} instances, {state}");
            self.series(&what, remotes, |n| at(n, most_instances))?;
        }
        Ok(())
    }

    fn remotes(&self, n_remotes: u32, n_instances: u32, is_running: bool) -> Result<PathBuf> {
        let name = |state: &str| format!("remote-{n_remotes}x{n_instances}-{state}.xml");
        let cold = self.inputs.join(name("cold"));
        if !cold.is_file() {
            self.written(&name("cold"), &synthetic::remotes(n_remotes, n_instances))?;
        }
        if is_running { self.carried_out(&cold, &name("running")) } else { Ok(cold) }
    }

    fn series(&self, what: &str, sizes: &[u32], cib: impl Fn(u32) -> Result<Option<PathBuf>>) -> Result<()> {
        let mut points = Vec::new();
        for &size in sizes {
            let Some(file) = cib(size)? else { return Ok(()) };
            points.push((f64::from(size), self.best_time(&(size, file))?.as_secs_f64()));
        }
        let times: Vec<String> =
            points.iter().map(|(size, seconds)| format!("{size}: {:.1} ms", seconds * 1e3)).collect();
        println!(
            "{what:<46} exponent {:>5.2} (n log n: {:.2})   ({})",
            exponent(&points),
            exponent(&n_log_n(sizes)),
            times.join(", ")
        );
        Ok(())
    }

    fn best_time(&self, (_, cib): &Point) -> Result<Duration> {
        let (tool, graph) = (self.tools.join("crm_simulate"), self.inputs.join("graph.xml"));
        let command = [text(&tool), "-x", text(cib), "-G", text(&graph), "-Q"];
        let mut best = Duration::MAX;
        for _ in 0..self.options.runs.max(1) {
            best = best.min(measure::processor_time(&command)?);
        }
        Ok(best)
    }
}

/// What would grow as `n log n` does, at these sizes.
fn n_log_n(sizes: &[u32]) -> Vec<(f64, f64)> {
    sizes.iter().map(|&size| f64::from(size)).map(|n| (n, n * n.ln())).collect()
}

/// The slope of the straight line through the points' logarithms, by least squares.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(size, time)| (size.ln(), time.ln())).collect();
    let n = logs.len() as f64;
    let (mean_x, mean_y) =
        (logs.iter().map(|(x, _)| x).sum::<f64>() / n, logs.iter().map(|(_, y)| y).sum::<f64>() / n);
    let covariance: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = logs.iter().map(|(x, _)| (x - mean_x) * (x - mean_x)).sum();
    covariance / variance
}

#[cfg(test)]
mod tests {
    use super::{exponent, n_log_n};

    #[test]
    fn a_power_law_gives_its_exponent() {
        for law in [0.5, 1.0, 2.0] {
            let points: Vec<(f64, f64)> = [10.0, 20.0, 70.0].map(|x: f64| (x, 3.0 * x.powf(law))).to_vec();
            assert!((exponent(&points) - law).abs() < 1e-9, "{law}");
        }
    }

    #[test]
    fn n_log_n_comes_out_a_little_above_one_and_less_so_for_larger_sizes() {
        let of = |sizes: &[u32]| (exponent(&n_log_n(sizes)) * 100.0).round();
        assert_eq!([of(&[4, 8, 16, 32]), of(&[1250, 2500, 5000, 10_000])], [144.0, 112.0]);
    }
}
