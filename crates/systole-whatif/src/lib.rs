//! What would happen: a transition graph carried out on a CIB, without a cluster. The engine of `crm_simulate`.
//!
//! Results go into the status section as a cluster would record them, so that the outcome can be scheduled again.

#![forbid(unsafe_code)]

mod carry_out;
mod circle;
mod event;
mod forget;
pub mod goal;
mod happening;
mod inject;
mod loss;
mod plan;
mod record;
pub mod remedy;
mod settle;
pub mod why;

pub use carry_out::{Names, Outcome, Step, carry_out, carry_out_in_cluster};
pub use circle::Circle;
pub use event::{Event, quorum_of};
pub use goal::Goal;
pub use happening::{Course, Happening, follow, follow_with_causes};
pub use inject::{InjectError, Injected, Injections, InvalidOpFail, NodeEvent, OpFail, TicketEvent, inject};
pub use loss::{Loss, Shortfall, Standing, combinations, lose};
pub use plan::{Planned, plan};
pub use settle::{MAX_ROUNDS, Moment, Settled, settle};
