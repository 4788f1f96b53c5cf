//! CIBs from seeds.

mod changes;
mod constraints;
mod faults;
mod history;
mod nodes;
mod options;
mod resources;
mod rules;
mod sketch;

use sketch::Sketch;
use systole_cib::xml::Document;

/// A CIB with status. The same seed gives the same CIB.
///
/// # Panics
/// If the scheduler does, which is a finding.
pub fn cib(seed: u64) -> Document {
    let mut sketch = Sketch::new(seed);
    sketch.add_nodes();
    sketch.add_resources();
    sketch.add_options();
    sketch.add_constraints();
    sketch.add_status();
    sketch.live();
    sketch.document
}
