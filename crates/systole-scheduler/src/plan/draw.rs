//! Everything that was considered, for `crm_simulate --save-dotfile`.

use super::{
    action::{ActIdx, Action, Flags},
    draft::Draft,
    relation::Relation,
    task::{Key, Task},
};
use std::collections::BTreeMap;
use systole_graph::{Arrow, Drawing, DrawnAction, Fate};

impl Draft<'_, '_> {
    /// Draws the plan, once it has been written down. The latest action comes first, as in the reference release.
    pub(super) fn draw(&self) -> Drawing {
        let latest = self.actions.len().saturating_sub(1);
        let mut drawing = Drawing::default();
        for (i, action) in self.actions.iter().enumerate().rev() {
            let idx = ActIdx(u32::try_from(i).expect("an action's index"));
            drawing.actions.push(DrawnAction {
                id: idx.0 + 1,
                name: self.drawn_name(idx),
                is_pseudo: action.flags.has(Flags::PSEUDO),
                fate: self.fate(action),
            });
            drawing.arrows.extend(self.arrows_to(idx).map(|(first, is_input, is_order)| Arrow {
                from: latest - first.i(),
                to: latest - i,
                is_input,
                is_order,
            }));
        }
        drawing
    }

    fn fate(&self, action: &Action) -> Fate {
        if action.flags.has(Flags::IN_GRAPH) {
            Fate::Graphed
        } else if action.rsc.is_some_and(|rsc| !self.rsc[rsc.i()].managed) {
            Fate::Unmanaged
        } else if action.flags.has(Flags::OPTIONAL) {
            Fate::Optional
        } else {
            Fate::Blocked
        }
    }

    /// What comes before an action: which one, whether the graph has it so, and whether it is an order all the same.
    /// Several links between the same two actions count as one.
    fn arrows_to(&self, then: ActIdx) -> impl Iterator<Item = (ActIdx, bool, bool)> {
        let is_graphed = self.is(then, Flags::IN_GRAPH);
        let mut merged: BTreeMap<ActIdx, (Relation, bool)> = BTreeMap::new();
        for &idx in self.a(then).before.iter() {
            let link = self.links[idx as usize];
            let (relation, is_input) = merged.entry(link.first).or_default();
            *relation |= link.relation;
            *is_input |= is_graphed && self.is_input(then, idx);
        }
        let drawn = merged.into_iter().filter(|(_, (relation, _))| *relation != Relation::NONE);
        drawn.map(|(first, (relation, is_input))| {
            (first, is_input, relation != Relation::IF_SAME_NODE_OR_TARGET)
        })
    }

    fn drawn_name(&self, idx: ActIdx) -> String {
        let action = self.a(idx);
        let prefix = if action.task == Task::Cancel { "Cancel " } else { "" };
        let host = action.node.map(|node| self.status.node(node).name.as_str());
        let host = host.or_else(|| (!action.flags.has(Flags::PSEUDO)).then_some("<none>"));
        let at = host.map_or(String::new(), |host| format!(" {host}"));
        let how = || self.added_meta(idx, "stonith_action").unwrap_or("(null)");
        match (action.rsc, &action.name) {
            (Some(rsc), _) => {
                let resource = self.r(rsc);
                let known_as = resource.history_id.as_ref().unwrap_or(&resource.id);
                // A notification is called after what it answers: `post_notify_promoted`, where its key has `promote`.
                match (action.key, &action.notice) {
                    (Key::Notify(..), Some(notice)) if resource.history_id.is_some() => {
                        format!(
                            "{known_as}_{}_notify_{}_0{at}",
                            notice.moment.as_str(),
                            notice.occasion.word()
                        )
                    }
                    _ => format!("{prefix}{known_as}_{}{at}", self.key_text(action.key)),
                }
            }
            _ if action.task == Task::Fence => format!("stonith '{}'{at}", how()),
            (None, Some(name)) if at.is_empty() => name.to_string(),
            (None, _) => format!("{prefix}{}{at}", self.task_text(action)),
        }
    }
}
