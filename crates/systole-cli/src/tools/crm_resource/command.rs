//! What `crm_resource` can be asked to do, and what each of that needs.

use super::find::Base;

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// List all resources.
    List,
    /// List names of instances.
    ListRaw,
    /// List operations of what is active.
    ListOperations,
    /// List all operations.
    ListAllOperations,
    /// List options of a kind.
    ListOptions,
    /// Ask about agents.
    Agents,
    /// Show state and configuration.
    QueryXml,
    /// The same, before templates are put in.
    QueryXmlRaw,
    /// Show where it runs.
    Locate,
    /// Tell what may keep it from running.
    Why,
    /// Show its constraints.
    Constraints,
    /// And those of what it depends on.
    Stack,
    /// Print a parameter.
    GetParameter,
    /// Print an attribute of the element.
    GetProperty,
    /// Set a parameter.
    SetParameter,
    /// Set an attribute of the element.
    SetProperty,
    /// Remove a parameter.
    DeleteParameter,
    /// Have it run elsewhere.
    Move,
    /// Keep it off a node.
    Ban,
    /// Take moves and bans back.
    Clear,
    /// Forget failures.
    Cleanup,
    /// Forget history.
    Refresh,
    /// Take it to have failed.
    Fail,
    /// Stop and start it.
    Restart,
    /// Wait for rest.
    Wait,
    /// Remove it from the configuration.
    Delete,
    /// Show digests.
    Digests,
    /// Have the agent do something: the action as the option says it.
    Agent(&'static str),
}

/// Commands by the names of their options.
pub(super) const COMMANDS: [(&str, Command); 37] = [
    ("list", Command::List),
    ("list_raw", Command::ListRaw),
    ("list_operations", Command::ListOperations),
    ("list_all_operations", Command::ListAllOperations),
    ("list_options", Command::ListOptions),
    ("list_standards", Command::Agents),
    ("list_ocf_providers", Command::Agents),
    ("list_ocf_alternatives", Command::Agents),
    ("list_agents", Command::Agents),
    ("show_metadata", Command::Agents),
    ("query_xml", Command::QueryXml),
    ("query_xml_raw", Command::QueryXmlRaw),
    ("locate", Command::Locate),
    ("why", Command::Why),
    ("constraints", Command::Constraints),
    ("stack", Command::Stack),
    ("get_parameter", Command::GetParameter),
    ("get_property", Command::GetProperty),
    ("set_parameter", Command::SetParameter),
    ("set_property", Command::SetProperty),
    ("delete_parameter", Command::DeleteParameter),
    ("move", Command::Move),
    ("ban", Command::Ban),
    ("clear", Command::Clear),
    ("cleanup", Command::Cleanup),
    ("refresh", Command::Refresh),
    ("fail", Command::Fail),
    ("restart", Command::Restart),
    ("wait", Command::Wait),
    ("delete", Command::Delete),
    ("digests", Command::Digests),
    ("validate", Command::Agent("validate")),
    ("force_start", Command::Agent("force-start")),
    ("force_stop", Command::Agent("force-stop")),
    ("force_promote", Command::Agent("force-promote")),
    ("force_demote", Command::Agent("force-demote")),
    ("force_check", Command::Agent("force-check")),
];

impl Command {
    /// Whether a resource has to be named.
    pub const fn needs_resource(self) -> bool {
        !matches!(
            self,
            Self::List
                | Self::ListRaw
                | Self::ListOperations
                | Self::ListAllOperations
                | Self::ListOptions
                | Self::Agents
                | Self::Why
                | Self::Cleanup
                | Self::Refresh
                | Self::Wait
        )
    }

    /// Whether a node has to be named.
    pub const fn needs_node(self) -> bool {
        matches!(self, Self::Digests | Self::Fail)
    }

    /// How the resource is looked for; `None` if the command finds it by itself.
    pub(super) const fn finds(self) -> Option<Base> {
        match self {
            Self::List
            | Self::ListRaw
            | Self::ListOperations
            | Self::ListAllOperations
            | Self::ListOptions
            | Self::Agents
            | Self::Wait
            | Self::Delete => None,
            Self::QueryXml
            | Self::QueryXmlRaw
            | Self::GetParameter
            | Self::GetProperty
            | Self::SetParameter
            | Self::SetProperty
            | Self::DeleteParameter => Some(Base::OfAny),
            Self::Fail => Some(Base::Whole),
            _ => Some(Base::OfAnonymous),
        }
    }

    /// Whether it is about whole clones only.
    pub const fn rejects_instances(self) -> bool {
        matches!(self, Self::Ban | Self::Clear | Self::Move | Self::Restart)
    }

    /// Whether only a running cluster can do it.
    pub const fn needs_cluster(self) -> bool {
        matches!(self, Self::Cleanup | Self::Refresh | Self::Fail)
    }
}
