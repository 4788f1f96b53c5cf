//! Order constraints that contradict each other: followed from one to the next, they come back to where they began.

use super::Verifier;
use crate::{
    model::{
        Cib, CloneChild, Constraint, Order, OrderAction, OrderKind, OrderMembers, Resource, ResourceSet,
    },
    read::{parse_bool, value_of},
    xml::Element,
};
use std::collections::{BTreeMap, BTreeSet};

impl Verifier {
    pub fn circles(&mut self, configuration: Element<'_>, cib: &Cib) {
        for circle in circles(cib) {
            let is_first = |e: &Element<'_>| e.is("rsc_order") && e.id() == circle.orders.first().copied();
            let Some(element) = configuration.descendants().find(is_first) else { continue };
            let orders = circle.orders.join(", ");
            let resources = circle.resources.into_iter().collect::<Vec<_>>().join(", ");
            self.advice(
                element,
                format!(
                    "order constraints go round in a circle ({orders}): of {resources} each waits for another, and none \
                     of them can begin; delete one of the constraints, or turn it round"
                ),
            );
        }
    }
}

/// Orders that make a circle.
#[derive(Debug, PartialEq, Eq)]
struct Circle<'c> {
    /// Their ids, as configured.
    orders: Vec<&'c str>,
    /// What they are about.
    resources: BTreeSet<&'c str>,
}

/// When the action of a resource begins, or is over; of a resource that consists of nothing the cluster orders, both are one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Begin,
    End,
}

#[derive(Default)]
struct Web<'c> {
    index: BTreeMap<(&'c str, u8, Moment), usize>,
    /// For each node what comes after it, and the order that says so.
    after: Vec<Vec<(usize, Option<usize>)>>,
    /// Resources that consist of others.
    collectives: BTreeSet<&'c str>,
    /// What tags and templates stand for.
    meanings: BTreeMap<&'c str, Vec<&'c str>>,
}

const ACTIONS: [OrderAction; 4] =
    [OrderAction::Start, OrderAction::Stop, OrderAction::Promote, OrderAction::Demote];

const fn inverse(action: OrderAction) -> OrderAction {
    match action {
        OrderAction::Start => OrderAction::Stop,
        OrderAction::Stop => OrderAction::Start,
        OrderAction::Promote => OrderAction::Demote,
        OrderAction::Demote => OrderAction::Promote,
    }
}

fn circles(cib: &Cib) -> Vec<Circle<'_>> {
    let orders: Vec<&Order> = cib
        .constraints
        .iter()
        .filter_map(|constraint| match constraint {
            Constraint::Order(order) if order.kind != Some(OrderKind::Serialize) => Some(order),
            _ => None,
        })
        .collect();
    if orders.len() < 2 {
        return Vec::new();
    }
    let mut web = Web::default();
    for tag in cib.tags.iter().chain(&cib.templates) {
        web.meanings.insert(tag.id.as_str(), tag.members.iter().map(|id| id.as_str()).collect());
    }
    cib.resources.iter().for_each(|resource| web.add_resource(resource));
    for (n, order) in orders.iter().enumerate() {
        web.add_order(n, order);
    }
    web.circles(&orders)
}

impl<'c> Web<'c> {
    fn node(&mut self, name: &'c str, action: OrderAction, moment: Moment) -> usize {
        let moment = if self.collectives.contains(name) { moment } else { Moment::Begin };
        let next = self.after.len();
        let node = *self.index.entry((name, action as u8, moment)).or_insert(next);
        if node == next {
            self.after.push(Vec::new());
        }
        node
    }

    /// What a resource consists of begins after it does, and is over before it is.
    fn add_resource(&mut self, resource: &'c Resource) {
        let id = resource.id().as_str();
        match resource {
            Resource::Primitive(_) => {}
            Resource::Group(group) => self.add_group(group),
            Resource::Clone(clone) => {
                let child = match &clone.child {
                    CloneChild::Primitive(primitive) => primitive.id.as_str(),
                    CloneChild::Group(group) => {
                        self.add_group(group);
                        group.id.as_str()
                    }
                };
                self.add_parts(id, &[child], false);
            }
            Resource::Bundle(bundle) => {
                let inside: Vec<&str> = bundle.primitive.iter().map(|own| own.id.as_str()).collect();
                self.add_parts(id, &inside, false);
            }
        }
    }

    fn add_group(&mut self, group: &'c crate::model::Group) {
        let members: Vec<&str> = group.members.iter().map(|member| member.id.as_str()).collect();
        let is_ordered = value_of(&group.meta, "ordered").and_then(parse_bool).unwrap_or(true);
        self.add_parts(group.id.as_str(), &members, is_ordered);
    }

    fn add_parts(&mut self, whole: &'c str, parts: &[&'c str], are_ordered: bool) {
        self.collectives.insert(whole);
        for action in ACTIONS {
            let (begin, end) =
                (self.node(whole, action, Moment::Begin), self.node(whole, action, Moment::End));
            self.after[begin].push((end, None));
            for part in parts {
                let (first, last) =
                    (self.node(part, action, Moment::Begin), self.node(part, action, Moment::End));
                self.after[begin].push((first, None));
                self.after[last].push((end, None));
            }
            let is_upwards = matches!(action, OrderAction::Start | OrderAction::Promote);
            for pair in parts.windows(2).filter(|_| are_ordered) {
                let (first, then) = if is_upwards { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
                let (first, then) =
                    (self.node(first, action, Moment::End), self.node(then, action, Moment::Begin));
                self.after[first].push((then, None));
            }
        }
    }

    fn add_order(&mut self, n: usize, order: &'c Order) {
        let is_symmetrical = order.symmetrical.unwrap_or(true);
        match &order.members {
            OrderMembers::Pair { first, first_action, then, then_action } => {
                let first_action = first_action.unwrap_or(OrderAction::Start);
                let then_action = then_action.unwrap_or(first_action);
                let (first, then) = (self.meaning(first.as_str()), self.meaning(then.as_str()));
                self.add_step(n, (&first, first_action), (&then, then_action), is_symmetrical);
            }
            OrderMembers::Sets(sets) => self.add_sets(n, sets, is_symmetrical),
        }
    }

    fn add_sets(&mut self, n: usize, sets: &'c [ResourceSet], is_symmetrical: bool) {
        let mut before: Option<(Vec<&'c str>, OrderAction)> = None;
        for set in sets {
            let action = set.action.unwrap_or(OrderAction::Start);
            let members: Vec<&str> = set.members.iter().flat_map(|id| self.meaning(id.as_str())).collect();
            for pair in members.windows(2).filter(|_| set.sequential) {
                self.add_step(n, (&pair[..1], action), (&pair[1..], action), is_symmetrical);
            }
            if let Some((firsts, first_action)) = &before {
                self.add_step(n, (firsts, *first_action), (&members, action), is_symmetrical);
            }
            // Of a set without `require-all` any member will do: none of them is waited for by name.
            before = set.require_all.then_some((members, action));
        }
    }

    /// All of `firsts` before all of `thens`, and the other way round on the way back.
    fn add_step(
        &mut self,
        n: usize,
        (firsts, first_action): (&[&'c str], OrderAction),
        (thens, then_action): (&[&'c str], OrderAction),
        is_symmetrical: bool,
    ) {
        self.add_way(n, (firsts, first_action), (thens, then_action));
        if is_symmetrical {
            self.add_way(n, (thens, inverse(then_action)), (firsts, inverse(first_action)));
        }
    }

    fn add_way(
        &mut self,
        n: usize,
        (firsts, first_action): (&[&'c str], OrderAction),
        (thens, then_action): (&[&'c str], OrderAction),
    ) {
        // One node between the two sides keeps the number of arrows low, whatever the size of the sets.
        let between = self.after.len();
        self.after.push(Vec::new());
        for first in firsts {
            let first = self.node(first, first_action, Moment::End);
            self.after[first].push((between, Some(n)));
        }
        for then in thens {
            let then = self.node(then, then_action, Moment::Begin);
            self.after[between].push((then, Some(n)));
        }
    }

    fn meaning(&self, name: &'c str) -> Vec<&'c str> {
        self.meanings.get(name).cloned().unwrap_or_else(|| vec![name])
    }

    fn circles(&self, orders: &[&'c Order]) -> Vec<Circle<'c>> {
        let component = components(&self.after);
        let mut members: BTreeMap<usize, BTreeSet<&'c str>> = BTreeMap::new();
        for ((name, ..), node) in &self.index {
            members.entry(component[*node]).or_default().insert(name);
        }
        let mut found: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (from, after) in self.after.iter().enumerate() {
            for (_, order) in after.iter().filter(|(to, _)| component[from] == component[*to]) {
                found.entry(component[from]).or_default().extend(order);
            }
        }
        let mut circles: Vec<Circle<'c>> = Vec::new();
        for (component, numbers) in found {
            let resources = members.remove(&component).unwrap_or_default();
            let ids = numbers.into_iter().map(|n| orders[n].id.as_str()).collect();
            let circle = Circle { orders: ids, resources };
            // An order of a resource with itself is left out, and what is stopped in a circle is started in one.
            if circle.resources.len() > 1 && !circles.iter().any(|known| known.orders == circle.orders) {
                circles.push(circle);
            }
        }
        circles
    }
}

/// For each node the number of its strongly connected component: nodes of one component can all be reached from each other.
/// (Tarjan's algorithm, with a stack of its own: configurations may be deeper than the program's.)
fn components(after: &[Vec<(usize, Option<usize>)>]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let n = after.len();
    let (mut number, mut low, mut component) = (vec![UNSEEN; n], vec![0; n], vec![UNSEEN; n]);
    let (mut path, mut next, mut n_components) = (Vec::new(), 0, 0);
    for root in 0..n {
        let mut calls: Vec<(usize, usize)> =
            if number[root] == UNSEEN { vec![(root, 0)] } else { Vec::new() };
        while let Some((node, at)) = calls.pop() {
            if at == 0 {
                (number[node], low[node]) = (next, next);
                next += 1;
                path.push(node);
            } else {
                low[node] = low[node].min(low[after[node][at - 1].0]);
            }
            let unfinished = (at..after[node].len()).find(|&at| {
                let to = after[node][at].0;
                if number[to] != UNSEEN && component[to] == UNSEEN {
                    low[node] = low[node].min(number[to]);
                }
                number[to] == UNSEEN
            });
            if let Some(at) = unfinished {
                calls.push((node, at + 1));
                calls.push((after[node][at].0, 0));
            } else if low[node] == number[node] {
                while let Some(member) = path.pop() {
                    component[member] = n_components;
                    if member == node {
                        break;
                    }
                }
                n_components += 1;
            }
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = r#"<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    const REST: &str = r#"<primitive id="b" class="ocf" provider="pacemaker" type="Dummy"/>
        <group id="g"><primitive id="m1" class="ocf" provider="pacemaker" type="Dummy"/>
            <primitive id="m2" class="ocf" provider="pacemaker" type="Dummy"/></group>
        <clone id="k"><primitive id="c" class="ocf" provider="pacemaker" type="Dummy"/></clone>"#;

    #[test]
    fn orders_that_contradict_each_other_are_found() {
        for (constraints, expected) in [
            (r#"<rsc_order id="1" first="a" then="b"/>"#, ""),
            (r#"<rsc_order id="1" first="a" then="b"/><rsc_order id="2" first="b" then="a"/>"#, "1 2: a b"),
            // Each of the two is fine, in whatever order they happen.
            (
                r#"<rsc_order id="1" first="a" then="b"/><rsc_order id="2" first="b" then="a" kind="Serialize"/>"#,
                "",
            ),
            (
                r#"<rsc_order id="1" first="a" then="b"/><rsc_order id="2" first="b" then="g"/>
                   <rsc_order id="3" first="m1" then="a"/><rsc_order id="4" first="k" then="a"/>"#,
                "1 2 3: a b g m1",
            ),
            // Members of a group follow one another.
            (
                r#"<rsc_order id="1" first="m2" then="a"/><rsc_order id="2" first="a" then="m1"/>"#,
                "1 2: a m1 m2",
            ),
            (r#"<rsc_order id="1" first="m1" then="a"/><rsc_order id="2" first="a" then="m2"/>"#, ""),
            (r#"<rsc_order id="1" first="c" then="a"/><rsc_order id="2" first="a" then="k"/>"#, "1 2: a c k"),
            // What is stopped before something is started is no circle, by itself.
            (
                r#"<rsc_order id="1" first="a" then="b" symmetrical="false"/>
                   <rsc_order id="2" first="b" first-action="stop" then="a" then-action="stop" symmetrical="false"/>"#,
                "",
            ),
            (
                r#"<rsc_order id="1" first="a" then="b"/>
                   <rsc_order id="2" first="a" first-action="stop" then="b" then-action="stop" symmetrical="false"/>"#,
                "1 2: a b",
            ),
            (
                r#"<rsc_order id="1"><resource_set id="s"><resource_ref id="a"/><resource_ref id="b"/></resource_set>
                     <resource_set id="t"><resource_ref id="m1"/></resource_set></rsc_order>
                   <rsc_order id="2" first="m1" then="b"/>"#,
                "1 2: b m1",
            ),
            (r#"<rsc_order id="1" first="a" then="a"/><rsc_order id="2" first="a" then="b"/>"#, ""),
        ] {
            let text = format!(
                "<cib><configuration><crm_config/><nodes/><resources>{A}{REST}</resources><constraints>{constraints}\
                 </constraints></configuration><status/></cib>"
            );
            let (cib, _) = Cib::parse(&text).expect("well-formed");
            let found: Vec<String> = circles(&cib)
                .into_iter()
                .map(|circle| {
                    let resources: Vec<&str> = circle.resources.into_iter().collect();
                    format!("{}: {}", circle.orders.join(" "), resources.join(" "))
                })
                .collect();
            assert_eq!(found.join("; "), expected, "{constraints}");
        }
    }
}
