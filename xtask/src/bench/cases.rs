//! Every case of the scheduler corpus, a process each: none may take us longer than the incumbent.

use super::{Bench, corpus, incumbent, text};
use crate::measure;
use anyhow::{Context, Result};
use std::{fs, path::Path, time::Duration};

/// Runs more, of both, of a case where we seem to be slower: the best one counts.
const SECOND_LOOKS: usize = 4;

impl Bench<'_> {
    /// Time on the processor for each case, the kernel's part included: most are over too soon for more.
    pub(super) fn cases(&self) -> Result<()> {
        println!("\nevery case of the corpus (crm_simulate -x CIB -G GRAPH), time on the processor");
        let dir = corpus().join("scheduler/xml");
        let (true, Some(theirs)) = (dir.is_dir(), incumbent("crm_simulate")) else {
            println!("SKIPPED: no corpus, or no incumbent");
            return Ok(());
        };
        let ours = self.tools.join("crm_simulate");
        let mut sums = [Duration::ZERO; 2];
        let mut slower = Vec::new();
        let mut n_cases = 0;
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let cib = entry?.path();
            let (mut our_time, mut their_time) = (self.case(&ours, &cib)?, self.case(&theirs, &cib)?);
            for _ in 0..SECOND_LOOKS {
                if our_time > their_time {
                    our_time = our_time.min(self.case(&ours, &cib)?);
                    their_time = their_time.min(self.case(&theirs, &cib)?);
                }
            }
            sums = [sums[0] + our_time, sums[1] + their_time];
            n_cases += 1;
            if our_time > their_time {
                slower.push((cib, our_time, their_time));
            }
        }
        let [our_sum, their_sum] = sums.map(|sum| sum.as_secs_f64());
        println!(
            "{n_cases} cases: ours {our_sum:.2} s, theirs {their_sum:.2} s, ratio {:.1}; slower than theirs: {}",
            their_sum / our_sum,
            slower.len()
        );
        for (cib, ours, theirs) in slower {
            let millis = |time: Duration| time.as_secs_f64() * 1e3;
            println!("  {}: ours {:.1} ms, theirs {:.1} ms", cib.display(), millis(ours), millis(theirs));
        }
        Ok(())
    }

    fn case(&self, program: &Path, cib: &Path) -> Result<Duration> {
        let graph = self.inputs.join("graph.xml");
        measure::processor_time(&[text(program), "-x", text(cib), "-G", text(&graph), "-Q"])
    }
}
