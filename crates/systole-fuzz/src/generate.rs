//! CIBs from seeds.

mod adopt;
mod changes;
mod constraints;
mod faults;
mod history;
mod nodes;
mod options;
mod resources;
mod rules;
mod sketch;
mod strewn;
mod tangled;
mod wide;

pub(crate) use sketch::{Sketch, Table};
use systole_cib::xml::Document;

/// What clusters are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// What most clusters have.
    Classic,
    /// All that the configuration language has.
    #[default]
    Wide,
    /// All that the language has, in few resources, and states that no plan led to.
    Strewn,
    /// Few resources, most of which consist of others, and many constraints among them.
    Tangled,
}

/// A CIB with status. The same family and seed give the same CIB.
///
/// # Panics
/// If the scheduler does, which is a finding.
pub fn cib(family: Family, seed: u64) -> Document {
    born(family, seed).document
}

/// What becomes of that cluster: its plans are carried out, and now and then something happens. The CIB is shown to `watch`
/// at first, and then after each of so many changes.
///
/// # Panics
/// If the scheduler does, which is a finding.
pub fn life(family: Family, seed: u64, n_changes: u32, watch: &mut dyn FnMut(&Document)) {
    let mut sketch = born(family, seed);
    watch(&sketch.document);
    for _ in 0..n_changes {
        sketch.go_on();
        watch(&sketch.document);
    }
}

fn born(family: Family, seed: u64) -> Sketch {
    let mut sketch = Sketch::new(seed);
    match family {
        Family::Classic | Family::Wide => {}
        Family::Strewn => sketch.draw_few_themes(),
        Family::Tangled => sketch.draw_themes_of_kinds(),
    }
    sketch.add_nodes();
    sketch.add_resources();
    if family == Family::Tangled {
        sketch.add_cloned_groups();
    }
    sketch.add_options();
    sketch.add_constraints();
    if family == Family::Tangled {
        sketch.tangle();
    }
    if family != Family::Classic {
        sketch.widen_configuration();
    }
    if family == Family::Strewn {
        // More of it, since there is less of everything else.
        sketch.widen_configuration();
    }
    sketch.add_status();
    if family == Family::Strewn || (family == Family::Tangled && seed.is_multiple_of(2)) {
        sketch.strew_states();
    } else {
        sketch.live();
    }
    if family == Family::Tangled {
        sketch.tangle_status();
    }
    if family != Family::Classic {
        sketch.widen_status();
    }
    sketch
}
