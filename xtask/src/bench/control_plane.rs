//! Outages of a control plane's services, under us and under the incumbent: the same CIB, images, agents, faults and clients.

use super::incumbent;
use crate::{
    lab::{Lab, wait_until},
    live::{
        faults::{FAULTS, Gaps},
        openstack,
    },
    packages,
    shell::{self, shout},
};
use anyhow::Result;
use std::time::Duration;

/// How long a control plane may take to come up.
const PATIENCE: Duration = Duration::from_secs(900);

/// Prints the table.
///
/// # Errors
/// If our control plane does not come up.
pub fn run() -> Result<()> {
    println!("\na control plane ({} on three nodes of this machine)", openstack::EXAMPLE);
    if !packages::is_root() {
        shout("SKIPPED: a lab takes root");
        return Ok(());
    }
    packages::install_missing(packages::Scope::Images)?;
    let lab = Lab::new(&shell::build_release()?);
    // Pacemaker's own remote daemon in the images: both clusters can drive it.
    let up = ["up", openstack::EXAMPLE, "--stock-images", "--timeout", "900"];
    let ours = in_lab(&lab, |lab| lab.run(&up).map(drop))?;
    let theirs = match incumbent::missing() {
        None => in_lab(&lab.booted_by(incumbent::boot), |lab| {
            lab.run(&[&up[..], &["--no-daemons"]].concat())?;
            incumbent::start(lab, openstack::EXAMPLE, systole_lab::with_stock_daemons)
        }),
        Some(what) => Err(anyhow::anyhow!("{what} is not installed")),
    };
    let theirs = theirs.inspect_err(|error| println!("(the incumbent is not measured: {error:#})"));
    print(&ours, &theirs.unwrap_or_default());
    Ok(())
}

/// What each fault did to clients; `None` where that could not be measured.
fn in_lab(lab: &Lab, up: impl FnOnce(&Lab) -> Result<()>) -> Result<Vec<Option<Gaps>>> {
    let measured = up(lab).and_then(|()| {
        wait_until("every service runs in its role", PATIENCE, || openstack::is_well(lab))?;
        let measure = |&(what, fault): &(&str, fn(&Lab) -> Result<Gaps>)| {
            fault(lab).inspect_err(|error| println!("(not measured: {what}: {error:#})")).ok()
        };
        Ok(FAULTS.iter().map(measure).collect())
    });
    lab.run(&["down"])?;
    measured
}

fn print(ours: &[Option<Gaps>], theirs: &[Option<Gaps>]) {
    println!("the longest time without an acknowledged write");
    println!("{:<46} {:<9} {:>9} {:>9} {:>7}", "", "to", "ours", "theirs", "ratio");
    for (idx, (what, _)) in FAULTS.iter().enumerate() {
        let of = |all: &[Option<Gaps>]| all.get(idx).copied().flatten().map(|gaps| gaps.by_service());
        for (service, client) in ["Galera", "Redis", "RabbitMQ"].into_iter().enumerate() {
            let of = |all| of(all).map(|gaps| gaps[service].as_secs_f64());
            let (ours, theirs) = (of(ours), of(theirs));
            let seconds = |gap: Option<f64>| gap.map_or("-".into(), |gap| format!("{gap:.1} s"));
            let ratio = ours.zip(theirs).map_or("-".into(), |(ours, theirs)| format!("{:.1}", theirs / ours));
            println!("{what:<46} {client:<9} {:>9} {:>9} {ratio:>7}", seconds(ours), seconds(theirs));
        }
    }
}
