//! What the DC needs of a scheduler, so that tests can bring their own.

use systole_cib::model::Cib;
use systole_graph::TransitionGraph;
use systole_types::Timestamp;

/// A scheduler: the same CIB and time give the same plan.
pub type Planner = fn(&Cib, Timestamp) -> Plan;

/// What a scheduler decided.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Plan {
    /// What to do.
    pub graph: TransitionGraph,
    /// In which series the input is kept.
    pub kind: InputKind,
    /// When the plan may change by the passing of time alone (a date in a rule, a failure that expires).
    pub recheck: Option<Timestamp>,
}

/// Series of saved scheduler inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum InputKind {
    /// `pe-input`.
    #[default]
    Input,
    /// `pe-warn`: the scheduler had warnings.
    Warning,
    /// `pe-error`: the scheduler found errors in the configuration.
    Error,
}

impl InputKind {
    /// The file name's first part.
    pub fn series(self) -> &'static str {
        match self {
            Self::Input => "pe-input",
            Self::Warning => "pe-warn",
            Self::Error => "pe-error",
        }
    }
}
