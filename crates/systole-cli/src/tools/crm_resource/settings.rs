//! Parameters, meta attributes and capacities of a resource.

use super::{Args, find::Found};
use crate::{Cluster, Exit, Failed, edit, report::Report, resource_ops::PairKind};
use systole_cib::{
    ops::{CibAction, CibCall, CibOptions, Scope},
    xml::{Document, Element},
};
use systole_output::tree::Tree;
use systole_scheduler::RscIdx;

/// Which kind of set; `None` for attributes of the element itself.
fn kind(args: &Args) -> Option<PairKind> {
    if args.element || args.get_property.is_some() || args.set_property.is_some() {
        None
    } else if args.meta {
        Some(PairKind::Meta)
    } else if args.utilization {
        Some(PairKind::Utilization)
    } else {
        Some(PairKind::Parameter)
    }
}

/// Prints a value as it is in force: by rules, defaults and what the resource is part of.
pub(super) fn get(found: &Found<'_>, args: &Args) -> anyhow::Result<Report> {
    let rsc = found.resource()?;
    let status = &found.status;
    let resource = status.rsc(rsc);
    let name = args.get_property.as_ref().or(args.get_parameter.as_ref());
    let name = name.ok_or_else(|| Failed::usage("no name given"))?;
    let mut report = Report::silent();
    let (count, node) = (resource.running_on.len(), resource.running_on.first().copied());
    if count > 1 {
        let id = &resource.id;
        report
            .errors
            .push(format!("{id} is active on more than one node, returning the default value for {name}"));
    }
    let element = edit::resource(&found.view.document, resource.base_id()).ok();
    let attribute = || element.and_then(|element| element.attr(name)).map(str::to_owned);
    let value = match kind(args) {
        Some(PairKind::Parameter) => {
            let node = node.filter(|_| count == 1);
            status.parameters(rsc, node).get(name.as_str()).map(ToString::to_string)
        }
        // The element's attributes count as meta attributes.
        Some(PairKind::Meta) => {
            attribute().or_else(|| resource.meta.raw.get(name.as_str()).map(ToString::to_string))
        }
        Some(PairKind::Utilization) => {
            let primitive = resource.primitive();
            primitive.and_then(|primitive| primitive.utilization.get(name.as_str())).map(ToString::to_string)
        }
        None => attribute(),
    };
    match value {
        Some(value) => {
            report.text = format!("{value}\n");
            let item = Tree::with_text("item", value).attr("name", name.as_str());
            report.trees.push(Tree::new("list").attr("name", "attributes").attr("count", "1").child(item));
        }
        None => report.errors.push(format!("Attribute '{name}' not found for '{}'", resource.id)),
    }
    Ok(report)
}

/// Changes to settings of a resource.
pub(super) struct Settings<'a, 'v> {
    pub cluster: &'a mut Cluster,
    pub found: &'a Found<'v>,
    pub args: &'a Args,
    /// The resource as it was named.
    pub id: &'a str,
    report: Report,
}

/// How many pairs fit.
enum Fit {
    None,
    One(String),
    Several,
}

impl<'a, 'v> Settings<'a, 'v> {
    pub fn new(cluster: &'a mut Cluster, found: &'a Found<'v>, args: &'a Args, id: &'a str) -> Self {
        Self { cluster, found, args, id, report: Report::silent() }
    }

    fn document(&self) -> &'v Document {
        &self.found.view.document
    }

    /// The element of a resource as it is configured; implicit parts of bundles have none.
    fn element(&self, rsc: RscIdx) -> anyhow::Result<Element<'v>> {
        let id = self.found.status.rsc(rsc).base_id();
        edit::find_resource(self.document(), id).ok_or_else(|| Failed::bare(Exit::NoSuch).into())
    }

    fn say(&mut self, line: &str) {
        if !self.args.quiet {
            self.report.text.push_str(line);
            self.report.text.push('\n');
        }
    }

    /// Looks for the pair in sets of a kind (of all kinds and in all parts, if `None`) of a resource; tells of several.
    fn look(&mut self, element: Element<'v>, kind: Option<PairKind>, name: &str) -> Fit {
        let (set, id) = match kind {
            Some(_) => (self.args.set_name.as_deref(), self.args.nvpair.as_deref()),
            None => (None, None),
        };
        let sets = element.children().filter(|child| {
            kind.is_none_or(|kind| child.is(kind.element())) && set.is_none_or(|set| child.id() == Some(set))
        });
        let pairs: Vec<Element<'v>> = sets
            .flat_map(|set| set.descendants())
            .filter(|pair| pair.is("nvpair") && pair.attr("name") == Some(name))
            .filter(|pair| id.is_none_or(|id| pair.id() == Some(id)))
            .collect();
        match pairs.as_slice() {
            [] => Fit::None,
            [pair] => Fit::One(pair.id().unwrap_or("").to_owned()),
            _ => {
                self.say(&format!("Multiple attributes match name={name}"));
                for pair in &pairs {
                    let (value, id) = (pair.attr("value").unwrap_or(""), pair.id().unwrap_or("<none>"));
                    self.say(&format!("  Value: {value} \t(id={id})"));
                }
                self.say("");
                Fit::Several
            }
        }
    }

    /// Tells of several pairs of that name in what the resource is part of.
    fn look_at_whole(&mut self, rsc: RscIdx, name: &str) {
        if self.args.nvpair.is_none() && !self.args.force {
            let top = self.found.status.top_of(rsc);
            if let Ok(element) = self.element(top) {
                self.look(element, None, name);
            }
        }
    }

    /// Sets a value.
    pub fn set(mut self) -> anyhow::Result<Report> {
        let Some(value) = self.args.parameter_value.clone().filter(|value| !value.is_empty()) else {
            return Err(Failed::usage("You need to supply a value with the -v option"));
        };
        let rsc = self.found.resource()?;
        let name = self.args.set_property.clone().or(self.args.set_parameter.clone());
        let name = name.ok_or_else(|| Failed::usage("no name given"))?;
        let Some(kind) = kind(self.args) else { return self.set_attribute(rsc, &name, &value) };
        self.look_at_whole(rsc, &name);
        let mut settings = Tree::new("resource-settings");
        if let Err(error) = self.set_at(rsc, self.id, kind, &name, &value, &mut settings) {
            return Ok(self.failed(&error));
        }
        self.report.trees.push(settings);
        Ok(self.report)
    }

    /// What was said before an error is said too.
    fn failed(mut self, error: &anyhow::Error) -> Report {
        let exit = crate::exit::exit_of(error);
        self.report.errors.push(super::complaint(error));
        self.report.ending(exit)
    }

    /// An attribute of the element. Pacemaker writes one that stays as it is all the same, and counts that.
    fn set_attribute(mut self, rsc: RscIdx, name: &str, value: &str) -> anyhow::Result<Report> {
        let element = self.element(rsc)?;
        let mut copy = self.document().clone();
        copy.set_attr(element.key(), name, value);
        self.replace(&copy, element, element.attr(name) == Some(value))?;
        self.say(&format!("Set attribute: name={name} value={value}"));
        Ok(self.report)
    }

    fn replace(&mut self, copy: &Document, element: Element<'v>, stays: bool) -> anyhow::Result<()> {
        let call = if stays {
            let (scope, options) = (Scope::All, CibOptions::default());
            CibCall { action: CibAction::Bump, scope, xml: None, options }
        } else {
            CibCall {
                action: CibAction::Replace,
                scope: Scope::Section("resources".to_owned()),
                xml: Some(copy.element(element.key()).to_text()),
                options: CibOptions::default(),
            }
        };
        self.cluster.apply(call, self.args.force)?;
        Ok(())
    }

    /// Sets a value of a resource, and of what depends on it if that is wanted too.
    fn set_at(
        &mut self,
        rsc: RscIdx,
        named: &str,
        kind: PairKind,
        name: &str,
        value: &str,
        settings: &mut Tree,
    ) -> anyhow::Result<()> {
        let mut open = vec![(rsc, named.to_owned())];
        let mut seen: Vec<RscIdx> = Vec::new();
        while let Some((rsc, named)) = open.pop() {
            if seen.contains(&rsc) {
                continue;
            }
            for target in self.meant(rsc, &named, kind, name)? {
                self.set_one(target, kind, name, value, settings)?;
                seen.push(target);
                if self.args.recursive && kind == PairKind::Meta {
                    open.extend(self.dependents(target).into_iter().rev());
                }
            }
        }
        Ok(())
    }

    fn set_one(
        &mut self,
        rsc: RscIdx,
        kind: PairKind,
        name: &str,
        value: &str,
        settings: &mut Tree,
    ) -> anyhow::Result<()> {
        let element = self.element(rsc)?;
        let id = element.id().unwrap_or("");
        let given = self.args.set_name.clone();
        let owner = edit::Owner::of(element, "resources");
        let value_of = |set: &str, id: &str| edit::Pair {
            set: set.to_owned(),
            id: id.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let (pair_id, shown_id, set) = match self.look(element, Some(kind), name) {
            Fit::Several => return Err(Failed::bare(Exit::Multiple).into()),
            Fit::One(pair) => {
                edit::modify_pair(self.cluster, &owner, &value_of("", &pair), edit::Sums::AreText)?;
                (pair.clone(), pair, given)
            }
            Fit::None => {
                let set = given.unwrap_or_else(|| format!("{id}-{}", kind.element()));
                let made = format!("{set}-{name}");
                let pair = self.args.nvpair.clone().unwrap_or_else(|| made.clone());
                edit::create_pair(self.cluster, &owner, kind.element(), &value_of(&set, &pair))?;
                // Pacemaker's tool does not tell an id that it was given.
                let shown = if self.args.nvpair.is_some() { "(null)".to_owned() } else { made };
                (pair, shown, Some(set))
            }
        };
        let in_set = set.as_ref().map_or(String::new(), |set| format!(" set={set}"));
        self.say(&format!("Set '{id}' option: id={shown_id}{in_set} name={name} value={value}"));
        let known_id = Some(pair_id).filter(|pair| *pair == shown_id);
        let pair = Tree::new("nvpair").maybe("id", known_id).attr("value", value).attr("name", name);
        let set = Tree::new(kind.element()).maybe("id", set).child(pair);
        let full_id = self.found.status.rsc(rsc).id.as_str();
        settings.push(Tree::new(element.name()).attr("id", full_id).child(set));
        Ok(())
    }

    /// The resources whose setting is changed where that of `rsc` is meant.
    fn meant(&mut self, rsc: RscIdx, named: &str, kind: PairKind, name: &str) -> anyhow::Result<Vec<RscIdx>> {
        let mut targets = if kind == PairKind::Parameter {
            self.refuse_meta_name(rsc, name)?;
            vec![rsc]
        } else {
            self.holders(rsc, named, kind, name, "update")?
        };
        // Who names a set or a pair means one resource.
        if self.args.set_name.is_some() || self.args.nvpair.is_some() {
            targets.drain(..targets.len().saturating_sub(1));
        }
        Ok(targets)
    }

    fn refuse_meta_name(&mut self, rsc: RscIdx, name: &str) -> anyhow::Result<()> {
        if self.args.force {
            return Ok(());
        }
        let top = self.found.status.top_of(rsc);
        let Ok(element) = self.element(top) else { return Ok(()) };
        let pair = match self.look(element, Some(PairKind::Meta), name) {
            Fit::None => return Ok(()),
            Fit::One(pair) => pair,
            Fit::Several => "(null)".to_owned(),
        };
        if !self.args.quiet {
            let id = &self.found.status.rsc(top).id;
            self.report.errors.extend([
                format!("WARNING: There is already a meta attribute for '{id}' called '{name}' (id={pair})"),
                format!("         Delete '{pair}' first or use the force option to override"),
            ]);
        }
        Err(Failed::bare(Exit::Multiple).into())
    }

    /// A setting is changed where it is: in the clone around a resource, in what a clone is of, in members of a group.
    fn holders(
        &mut self,
        rsc: RscIdx,
        named: &str,
        kind: PairKind,
        name: &str,
        verb: &str,
    ) -> anyhow::Result<Vec<RscIdx>> {
        if self.args.force {
            return Ok(vec![rsc]);
        }
        let status = &self.found.status;
        let resource = status.rsc(rsc);
        let parent = resource.parent.filter(|parent| status.rsc(*parent).is_clone());
        if let Some(parent) = parent.filter(|parent| self.element(*parent).is_ok()) {
            let element = self.element(rsc)?;
            if matches!(self.look(element, Some(kind), name), Fit::One(_)) {
                return Ok(vec![rsc]);
            }
            let id = &status.rsc(parent).id;
            self.say(&format!("Performing {verb} of '{name}' on '{id}', the parent of '{named}'"));
            return Ok(vec![parent]);
        }
        if resource.is_clone() {
            let Some(child) =
                resource.children.first().copied().filter(|child| status.rsc(*child).is_primitive())
            else {
                return Ok(vec![rsc]);
            };
            let element = self.element(child)?;
            if !matches!(self.look(element, Some(kind), name), Fit::One(_)) {
                return Ok(vec![rsc]);
            }
            let id = status.rsc(child).base_id();
            self.say(&format!(
                "A value for '{name}' already exists in child '{id}', performing {verb} on that instead of '{named}'"
            ));
            return Ok(vec![child]);
        }
        let mut holders = Vec::new();
        for member in resource.children.clone() {
            let Ok(element) = self.element(member) else { continue };
            if matches!(self.look(element, Some(kind), name), Fit::One(_)) {
                holders.push(member);
            }
        }
        holders.push(rsc);
        Ok(holders)
    }

    /// Resources that are to be where this one is, by name, as Pacemaker's scheduler looks at them.
    fn dependents(&self, rsc: RscIdx) -> Vec<(RscIdx, String)> {
        let id = self.found.status.rsc(rsc).base_id();
        let constraints = edit::section(self.document(), "constraints").into_iter();
        let mut found: Vec<&str> = constraints
            .flat_map(|all| all.children_named("rsc_colocation"))
            .filter(|constraint| constraint.attr("with-rsc") == Some(id))
            .filter(|constraint| constraint.attr("score").is_none_or(|score| !score.starts_with('-')))
            .filter_map(|constraint| constraint.attr("rsc"))
            .collect();
        found.sort_unstable();
        let status = &self.found.status;
        found.into_iter().filter_map(|id| Some((status.find_resource(id)?, id.to_owned()))).collect()
    }

    /// Removes a value.
    pub fn delete(mut self) -> anyhow::Result<Report> {
        let rsc = self.found.resource()?;
        let Some(name) = self.args.delete_parameter.clone() else {
            return Err(Failed::usage("no name given"));
        };
        self.look_at_whole(rsc, &name);
        let Some(kind) = kind(self.args) else { return self.delete_attribute(rsc, &name) };
        let targets = match kind {
            PairKind::Meta => self.holders(rsc, self.id, kind, &name, "delete")?,
            PairKind::Parameter | PairKind::Utilization => vec![rsc],
        };
        let mut exit = Exit::Ok;
        for target in targets {
            exit = self.delete_one(target, kind, &name)?;
            if exit == Exit::Multiple {
                break;
            }
        }
        if exit != Exit::Ok {
            return Ok(self.failed(&Failed::bare(exit).into()));
        }
        Ok(self.report)
    }

    fn delete_one(&mut self, rsc: RscIdx, kind: PairKind, name: &str) -> anyhow::Result<Exit> {
        let element = self.element(rsc)?;
        let pair = match self.look(element, Some(kind), name) {
            Fit::None => return Ok(Exit::NoSuch),
            Fit::Several => return Ok(Exit::Multiple),
            Fit::One(pair) => pair,
        };
        let owner = edit::Owner::of(element, "resources");
        let doomed =
            edit::Pair { set: String::new(), id: pair.clone(), name: name.to_owned(), value: String::new() };
        edit::delete_pair(self.cluster, &owner, &doomed)?;
        let set = self.args.set_name.as_ref().map_or(String::new(), |set| format!(" set={set}"));
        let id = element.id().unwrap_or("");
        self.say(&format!("Deleted '{id}' option: id={pair}{set} name={name}"));
        Ok(Exit::Ok)
    }

    fn delete_attribute(mut self, rsc: RscIdx, name: &str) -> anyhow::Result<Report> {
        let element = self.element(rsc)?;
        let mut copy = self.document().clone();
        copy.remove_attr(element.key(), name);
        self.replace(&copy, element, element.attr(name).is_none())?;
        self.say(&format!("Deleted attribute: {name}"));
        Ok(self.report)
    }
}
