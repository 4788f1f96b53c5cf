//! Reasons in words.

use super::{Failure, NodeFault, Prior, Reason, Unmanaged, Why};
use std::fmt;
use systole_scheduler::note::{Cause, Companion};
use systole_types::Score;

/// A score with its sign.
fn signed(score: Score) -> String {
    if score > Score::ZERO { format!("+{score}") } else { score.to_string() }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let element = self.element.as_ref();
        match (&self.why, element) {
            // Constraints are known by their ids: those stand where a reader looks first.
            (Why::Banned(Cause::Location), Some(id)) => {
                return write!(f, "banned by location constraint {id}");
            }
            (Why::Score(score, Cause::Location), Some(id)) => {
                return write!(f, "{} by location constraint {id}", signed(*score));
            }
            (Why::Promotion(Score::MINUS_INFINITY, Cause::Location), Some(id)) => {
                return write!(f, "location constraint {id} forbids its promotion");
            }
            (Why::Promotion(score, Cause::Location), Some(id)) => {
                return write!(f, "{} to its promotion by location constraint {id}", signed(*score));
            }
            _ => write!(f, "{}", self.why)?,
        }
        match element {
            Some(id) => write!(f, " ({id})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Score(score, cause) => write!(f, "{} by {}", signed(*score), score_source(cause)),
            Self::Banned(cause) => write!(f, "{cause}"),
            Self::NotPromoted(why) => write!(f, "not promoted: {why}"),
            Self::OnlyWith { with, promoted: false } => write!(f, "it may run only where {with} runs"),
            Self::OnlyWith { with, promoted: true } => write!(f, "it may run only where {with} is promoted"),
            Self::Promotion(Score::MINUS_INFINITY, cause) => {
                write!(f, "its promotion is out of the question: {cause}")
            }
            Self::Promotion(score, Cause::Promotion) => write!(f, "its promotion score is {score}"),
            Self::Promotion(score, cause) => {
                write!(f, "{} to its promotion by {}", signed(*score), score_source(cause))
            }
            Self::Stuck { task, obstacle } => write!(f, "its {task} cannot be done: {obstacle}"),
            Self::Node(fault) => write!(f, "{fault}"),
            Self::BelowZero(score) => {
                write!(f, "the scores add up to {score}: below zero it does not run there")
            }
            Self::NotAllowed { opt_in: true } => {
                f.write_str("no constraint allows it there (symmetric-cluster=false)")
            }
            Self::NotAllowed { opt_in: false } => {
                f.write_str("it runs only where what it is part of puts it")
            }
            Self::Worse { than, score } => write!(f, "{than} is better, with {score}"),
            Self::NoBetter { than, runs_there: true } => write!(f, "no better than {than}, where it runs"),
            Self::NoBetter { than, runs_there: false } => write!(f, "no better than {than}, which is chosen"),
            Self::Unmanaged(why) => write!(f, "the cluster leaves it alone: {why}"),
            Self::StopAll => f.write_str("everything is to be stopped (stop-all-resources)"),
            Self::Removed => f.write_str("it is not in the configuration any more"),
            Self::NoQuorum(policy) => write!(f, "the partition has no quorum (no-quorum-policy={policy})"),
            Self::Failed(failure) => write!(f, "{failure}"),
            Self::Circle(circle) => write!(f, "{circle}"),
            Self::Discovery => f.write_str("one of the nodes that resource-discovery=exclusive allows"),
            Self::GuestOfBundle(bundle) => write!(f, "nothing but what is inside of {bundle} runs there"),
        }
    }
}

fn score_source(cause: &Cause) -> String {
    match cause {
        Cause::Colocation { with, says: Companion::IsHere } => format!("{with}, which will be there"),
        Cause::Colocation { with, says: Companion::IsElsewhere(node) } => {
            format!("{with}, which will be on {node}")
        }
        Cause::Colocation { with, says: Companion::IsPromotedHere } => {
            format!("{with}, which will be promoted there")
        }
        Cause::Colocation { with, .. } => format!("{with}, colocated with it"),
        Cause::Inside(container) => format!("{container}, which it lives in"),
        Cause::History("not_managed_default") => "being there: it is not managed".to_owned(),
        other => other.to_string(),
    }
}

impl fmt::Display for NodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline => f.write_str("the node is offline"),
            Self::Unclean { can_be_fenced: true } => {
                f.write_str("the node is unclean: it has to be fenced first")
            }
            Self::Unclean { can_be_fenced: false } => {
                f.write_str("the node is unclean, and cannot be fenced: nothing it ran is recovered")
            }
            Self::Standby => f.write_str("the node is in standby"),
            Self::StandbyOnFail => {
                f.write_str("the node is in standby since an operation failed (on-fail=standby)")
            }
            Self::Maintenance => f.write_str("the node is in maintenance"),
            Self::ShuttingDown => f.write_str("the node is shutting down"),
            Self::Pending => f.write_str("the node is still joining"),
            Self::NotConnected(resource) => write!(f, "the node is not up: {resource} will not run"),
        }
    }
}

impl fmt::Display for Unmanaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("the cluster is in maintenance (maintenance-mode)"),
            Self::Node(node) => write!(f, "{node} is in maintenance"),
            Self::Resource => f.write_str("it is in maintenance (maintenance)"),
            Self::IsManaged => f.write_str("is-managed=false"),
            Self::Blocked => f.write_str("a failure blocks it until it is cleaned up"),
            Self::NoFenceDevice => f.write_str("fencing is on, and there is no fence device"),
            Self::Frozen => f.write_str("its ticket was lost (loss-policy=freeze)"),
            Self::Removed => f.write_str("it is not in the configuration (stop-removed-resources=false)"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.operation, self.rc)?;
        if self.status != systole_types::OpStatus::Done {
            write!(f, ", {}", self.status)?;
        }
        if let Some(said) = self.exit_reason.as_deref().filter(|said| !said.is_empty()) {
            write!(f, ", \"{said}\"")?;
        }
        Ok(())
    }
}

impl fmt::Display for Prior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.task)?;
        if let Some(resource) = &self.resource {
            write!(f, " of {resource}")?;
        }
        if let Some(node) = &self.node {
            let preposition = if self.resource.is_some() { " on" } else { " of" };
            write!(f, "{preposition} {node}")?;
        }
        for order in &self.orders {
            write!(f, " ({order})")?;
        }
        Ok(())
    }
}
