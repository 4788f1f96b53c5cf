//! Drawing a plan: the `dot` language of Graphviz, as `crm_simulate --save-dotfile` writes it.

use std::fmt::Write as _;

/// Everything that was considered for a graph, whether it is in it or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawing {
    /// Actions, in the order drawn.
    pub actions: Vec<DrawnAction>,
    /// What has to wait for what.
    pub arrows: Vec<Arrow>,
}

/// An action of a [`Drawing`].
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnAction {
    /// Its number.
    pub id: u32,
    /// What is done where: `web_start_0 node1`.
    pub name: String,
    /// Nothing to run, orders others.
    pub is_pseudo: bool,
    /// What became of it.
    pub fate: Fate,
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is in the graph.
    Graphed,
    /// Nothing is done with an unmanaged resource.
    Unmanaged,
    /// It need not be done.
    Optional,
    /// It should be done, and cannot be.
    Blocked,
}

/// An arrow of a [`Drawing`], between positions in its actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// Comes first.
    pub from: usize,
    /// Comes after.
    pub to: usize,
    /// The graph has it.
    pub is_input: bool,
    /// Drawn once both actions are, though the graph does not have it.
    pub is_order: bool,
}

/// How much is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DotStyle {
    /// Also what need not be done, and what concerns unmanaged resources.
    pub all_actions: bool,
    /// The actions' numbers too.
    pub ids: bool,
}

impl Fate {
    const fn is_drawn(self, style: DotStyle) -> bool {
        style.all_actions || matches!(self, Self::Graphed | Self::Blocked)
    }
}

impl Drawing {
    /// Writes the drawing for `dot`.
    pub fn to_dot(&self, style: DotStyle) -> String {
        let name = |action: &DrawnAction| {
            let name = action.name.replace('\\', "\\\\").replace('"', "\\\"");
            if style.ids { format!("{name} ({})", action.id) } else { name }
        };
        let mut out = String::from(" digraph \"g\" {\n");
        for action in self.actions.iter().filter(|action| action.fate.is_drawn(style)) {
            let (line, color, font) = match (action.fate, action.is_pseudo) {
                (Fate::Graphed, true) => ("bold", "green", "orange"),
                (Fate::Graphed, false) => ("bold", "green", "black"),
                (Fate::Unmanaged, _) => ("dashed", "red", "purple"),
                (Fate::Optional, true) => ("dashed", "blue", "orange"),
                (Fate::Optional, false) => ("dashed", "blue", "black"),
                (Fate::Blocked, true) => ("dashed", "red", "orange"),
                (Fate::Blocked, false) => ("dashed", "red", "black"),
            };
            let name = name(action);
            let _ = writeln!(out, "\"{name}\" [ style={line} color=\"{color}\" fontcolor=\"{font}\"]");
        }
        for arrow in &self.arrows {
            let (from, to) = (&self.actions[arrow.from], &self.actions[arrow.to]);
            let are_drawn = from.fate.is_drawn(style) && to.fate.is_drawn(style);
            if arrow.is_input || style.all_actions || (arrow.is_order && are_drawn) {
                let line = if arrow.is_input { "bold" } else { "dashed" };
                let _ = writeln!(out, "\"{}\" -> \"{}\" [ style = {line}]", name(from), name(to));
            }
        }
        out.push_str("}\n");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_need_not_be_done_is_drawn_on_demand_only() {
        let action = |id, name: &str, fate| DrawnAction { id, name: name.to_owned(), is_pseudo: false, fate };
        let drawing = Drawing {
            actions: vec![
                action(1, "a_start_0 n", Fate::Graphed),
                action(2, "b_start_0 n", Fate::Blocked),
                action(3, "c_stop_0 n", Fate::Optional),
            ],
            arrows: vec![
                Arrow { from: 0, to: 1, is_input: false, is_order: true },
                Arrow { from: 2, to: 0, is_input: false, is_order: true },
            ],
        };
        let few = drawing.to_dot(DotStyle::default());
        assert_eq!(
            few,
            " digraph \"g\" {\n\"a_start_0 n\" [ style=bold color=\"green\" fontcolor=\"black\"]\n\
             \"b_start_0 n\" [ style=dashed color=\"red\" fontcolor=\"black\"]\n\
             \"a_start_0 n\" -> \"b_start_0 n\" [ style = dashed]\n}\n"
        );
        let all = drawing.to_dot(DotStyle { all_actions: true, ids: true });
        assert!(all.contains("\"c_stop_0 n (3)\" [ style=dashed color=\"blue\""), "{all}");
        assert!(all.contains("\"c_stop_0 n (3)\" -> \"a_start_0 n (1)\" [ style = dashed]"), "{all}");
    }
}
