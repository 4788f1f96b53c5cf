//! The names the binary answers to besides `systole`. A name is here when the tool works.

use crate::{Exit, Session};
use std::ffi::OsString;

mod attrd_updater;
pub mod cibadmin;
pub mod crm_attribute;
mod crm_diff;
mod crm_error;
mod crm_failcount;
mod crm_master;
pub mod crm_mon;
mod crm_node;
pub mod crm_resource;
mod crm_rule;
mod crm_shadow;
mod crm_simulate;
mod crm_standby;
mod crm_ticket;
mod crm_verify;
mod crmadmin;
mod daemons;
mod iso8601;
mod one_attribute;
mod stonith_admin;

/// A tool with a name of its own.
pub struct Tool {
    /// What the link to the binary is called.
    pub name: &'static str,
    /// One line for `systole --list-tools --verbose` and the manual.
    pub about: &'static str,
    /// Runs it.
    pub run: fn(&mut Session<'_>, &[OsString]) -> anyhow::Result<Exit>,
}

/// Every tool there is, by name.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "attrd_updater",
        about: "node attributes that last until a reboot",
        run: attrd_updater::run,
    },
    Tool { name: "cibadmin", about: "ask for and change the configuration", run: cibadmin::run },
    Tool { name: "crm_attribute", about: "node attributes and cluster options", run: crm_attribute::run },
    Tool { name: "crm_diff", about: "compare two configurations", run: crm_diff::run },
    Tool { name: "crm_error", about: "explain an error code", run: crm_error::run },
    Tool { name: "crm_failcount", about: "show or remove fail counts", run: crm_failcount::run },
    Tool { name: "crm_master", about: "promotion scores", run: crm_master::run },
    Tool { name: "crm_mon", about: "show the state of the cluster", run: crm_mon::run },
    Tool { name: "crm_node", about: "what a node knows of itself and its cluster", run: crm_node::run },
    Tool { name: "crm_resource", about: "show and change resources", run: crm_resource::run },
    Tool { name: "crm_rule", about: "whether rules about dates are in effect", run: crm_rule::run },
    Tool { name: "crm_shadow", about: "copies of the configuration to try changes on", run: crm_shadow::run },
    Tool { name: "crm_simulate", about: "simulate the cluster's response to events", run: crm_simulate::run },
    Tool { name: "crm_standby", about: "standby mode of a node", run: crm_standby::run },
    Tool { name: "crm_ticket", about: "tickets of a multi-site cluster", run: crm_ticket::run },
    Tool { name: "crm_verify", about: "check a configuration for mistakes", run: crm_verify::run },
    Tool { name: "crmadmin", about: "who schedules, and what state controllers are in", run: crmadmin::run },
    Tool { name: "iso8601", about: "read dates as the cluster does", run: iso8601::run },
    Tool { name: "pacemaker-based", about: "options of the CIB's manager", run: daemons::part },
    Tool { name: "pacemaker-controld", about: "options of the controller", run: daemons::part },
    Tool { name: "pacemaker-fenced", about: "parameters of every fence device", run: daemons::part },
    Tool { name: "pacemaker-schedulerd", about: "options of the scheduler", run: daemons::part },
    Tool { name: "pacemakerd", about: "what release the tools are of", run: daemons::main },
    Tool {
        name: "stonith_admin",
        about: "fence devices and agents; confirm that a node is off",
        run: stonith_admin::run,
    },
];

/// The tool called `name`.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}
