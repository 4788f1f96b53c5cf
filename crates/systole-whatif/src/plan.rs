//! What a change would do, before it is made.

use crate::{Course, Happening, Moment, Settled, follow_with_causes};
use systole_cib::{read, xml::Document};
use systole_scheduler::{Status, plan::ChangeKind};
use systole_types::ResourceId;

/// What a change would do.
#[derive(Debug)]
pub struct Planned {
    /// What would happen because of it.
    pub happenings: Vec<Happening>,
    /// What happens anyway, and with the change, too.
    pub anyway: Vec<Happening>,
    /// What would happen without the change, and does not with it.
    pub averted: Vec<Happening>,
    /// Whether the configuration or the state is another one at all.
    pub is_change: bool,
    /// Whether the cluster comes to rest, and if not, why.
    pub settled: Settled,
}

/// Compares what comes of a CIB with what comes of it once it is changed.
pub fn plan(before: &Document, after: &Document, moment: Moment) -> Planned {
    let (unchanged, changed) =
        (follow_with_causes(before.clone(), moment), follow_with_causes(after.clone(), moment));
    let is_in = |course: &Course, happening: &Happening| {
        course.happenings.iter().any(|known| known.is_same(happening))
    };
    let averted =
        unchanged.happenings.iter().filter(|happening| !is_in(&changed, happening)).cloned().collect();
    let (mut anyway, mut happenings) = (Vec::new(), Vec::new());
    let parameters = Parameters::new(before, after, moment);
    for mut happening in changed.happenings {
        if unchanged.happenings.iter().any(|known| known.is_same(&happening)) {
            anyway.push(happening);
            continue;
        }
        happening.cause = parameters.cause(&happening).or(happening.cause);
        happenings.push(happening);
    }
    Planned {
        happenings,
        anyway,
        averted,
        is_change: before.to_text() != after.to_text(),
        settled: changed.settled,
    }
}

/// Parameters of resources before and after a change.
struct Parameters {
    before: systole_cib::model::Cib,
    after: systole_cib::model::Cib,
    moment: Moment,
}

impl Parameters {
    fn new(before: &Document, after: &Document, moment: Moment) -> Self {
        Self { before: read(before).0, after: read(after).0, moment }
    }

    /// Which parameters are other ones, for what restarts or reloads because of that.
    fn cause(&self, happening: &Happening) -> Option<String> {
        let is_meant = match happening.kind {
            ChangeKind::Restart => happening.reason.as_deref() == Some("resource definition change"),
            ChangeKind::Reload => true,
            _ => false,
        };
        if !is_meant {
            return None;
        }
        let (before, after) = (self.of(&self.before, happening)?, self.of(&self.after, happening)?);
        let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let changed: Vec<String> = names
            .into_iter()
            .filter(|name| before.get(*name) != after.get(*name))
            .map(|name| match (before.get(name), after.get(name)) {
                (Some(_), None) => format!("parameter {name} was removed"),
                (None, Some(new)) => format!("parameter {name} is new: {new}"),
                (old, new) => {
                    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
                    format!("parameter {name} was {} and is {}", text(old), text(new))
                }
            })
            .collect();
        (!changed.is_empty()).then(|| changed.join(", "))
    }

    fn of(
        &self,
        cib: &systole_cib::model::Cib,
        happening: &Happening,
    ) -> Option<std::collections::BTreeMap<String, String>> {
        let status = Status::unpack(cib, self.moment.now);
        let id: &ResourceId = happening.resource.as_ref()?;
        let rsc = status.find_resource(id.as_str())?;
        let node = happening.from.as_ref().and_then(|name| status.find_node(name.as_str()));
        let parameters = status.parameters(rsc, node);
        Some(parameters.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }
}
