//! From a cluster to what the scheduler makes of it.

use crate::{Cluster, Session};
use systole_cib::{model::Cib, upgrade, xml::Document};
use systole_scheduler::{Overview, Status};

/// A cluster as tools look at it.
pub struct View {
    /// The CIB.
    pub document: Document,
    /// The same, typed.
    pub cib: Cib,
    /// The present state.
    pub overview: Overview,
}

/// Looks at the cluster.
///
/// # Errors
/// If the cluster cannot be reached.
pub fn look(session: &Session<'_>, cluster: &mut Cluster) -> anyhow::Result<View> {
    let document = cluster.cib()?;
    let (mut cib, _) = upgrade::read(&document);
    // The state is shown as of now, also that of a scheduler input, which says when it was planned from.
    cib.execution_date = None;
    let overview = Overview::new(&Status::unpack(&cib, session.local_time()));
    Ok(View { document, cib, overview })
}
