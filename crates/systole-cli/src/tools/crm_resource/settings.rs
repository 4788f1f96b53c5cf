//! Parameters, meta attributes and capacities of a resource.

use super::Args;
use crate::{
    Cluster, Failed, edit,
    report::Report,
    resource_ops::{PairKind, PairOf, enclosing_clone},
    view::View,
};
use systole_cib::{
    ops::{CibAction, CibCall, CibOptions, Scope},
    xml::Element,
};
use systole_output::tree::Tree;

fn kind(args: &Args) -> PairKind {
    if args.meta {
        PairKind::Meta
    } else if args.utilization {
        PairKind::Utilization
    } else {
        PairKind::Parameter
    }
}

fn pair<'a>(args: &'a Args, name: &'a str) -> PairOf<'a> {
    PairOf { kind: kind(args), set_id: args.set_name.as_deref(), pair_id: args.nvpair.as_deref(), name }
}

/// Prints a value.
pub(super) fn get(view: &View, args: &Args, id: &str) -> anyhow::Result<Report> {
    let resource = edit::resource(&view.document, id)?;
    let (name, is_element) = match (&args.get_property, &args.get_parameter) {
        (Some(name), _) => (name, true),
        (None, Some(name)) => (name, args.element),
        (None, None) => return Err(Failed::usage("no name given")),
    };
    let value = if is_element {
        resource.attr(name).map(str::to_owned)
    } else {
        let pair = pair(args, name);
        // What is set on the whole counts for its parts too.
        std::iter::successors(Some(resource), |at| enclosing_clone(*at))
            .find_map(|at| pair.find(at).into_iter().next())
            .map(|pair| pair.value)
    };
    let Some(value) = value else {
        let message = format!("Attribute '{name}' not found for '{id}'");
        return Ok(Report { errors: vec![message], ..Report::default() });
    };
    Ok(Report::new(format!("{value}\n"), Tree::with_text("item", value).attr("name", name.as_str())))
}

/// Sets a value.
pub(super) fn set(cluster: &mut Cluster, view: &View, args: &Args, id: &str) -> anyhow::Result<Report> {
    let Some(value) = args.parameter_value.as_deref().filter(|value| !value.is_empty()) else {
        return Err(Failed::usage("You need to supply a value with the -v option"));
    };
    let resource = edit::resource(&view.document, id)?;
    let (name, is_element) = match (&args.set_property, &args.set_parameter) {
        (Some(name), _) => (name, true),
        (None, Some(name)) => (name, args.element),
        (None, None) => return Err(Failed::usage("no name given")),
    };
    if is_element {
        let owner = edit::Owner::of(resource, "resources");
        let mut owner = owner;
        if let Some((_, attrs)) = owner.path.last_mut() {
            attrs.push((name.clone(), value.to_owned()));
        }
        if resource.attr(name) == Some(value) {
            count_change(cluster)?;
        } else {
            cluster.merge("resources", owner.to_xml())?;
        }
        return Ok(Report {
            text: format!("Set attribute: name={name} value={value}\n"),
            ..Report::default()
        });
    }
    let pair = pair(args, name);
    let (targets, mut report) = targets(resource, &pair, args, "update");
    let mut settings = Tree::new("resource-settings");
    for target in targets {
        let target_id = target.id().unwrap_or("");
        let done = pair.set(cluster, target, value)?;
        let set = done.new_in.as_ref().map_or(String::new(), |set| format!(" set={set}"));
        report
            .text
            .push_str(&format!("Set '{target_id}' option: id={}{set} name={name} value={value}\n", done.id));
        let set_id = done
            .new_in
            .clone()
            .unwrap_or_else(|| pair.find(target).first().map_or(String::new(), |pair| pair.set.clone()));
        settings.push(Tree::new(target.name()).attr("id", target_id).child(
            Tree::new(pair.kind.element()).attr("id", set_id).child(
                Tree::new("nvpair").attr("id", done.id).attr("value", value).attr("name", name.as_str()),
            ),
        ));
    }
    report.trees.push(settings);
    Ok(report)
}

/// Removes a value.
pub(super) fn delete(cluster: &mut Cluster, view: &View, args: &Args, id: &str) -> anyhow::Result<Report> {
    let resource = edit::resource(&view.document, id)?;
    let Some(name) = &args.delete_parameter else { return Err(Failed::usage("no name given")) };
    if args.element {
        let call = CibCall {
            action: CibAction::Replace,
            scope: Scope::Section("resources".to_owned()),
            xml: Some(without_attribute(resource, name)),
            options: CibOptions::default(),
        };
        match resource.attr(name) {
            Some(_) => _ = cluster.apply(call, args.force)?,
            None => count_change(cluster)?,
        }
        return Ok(Report { text: format!("Deleted attribute: {name}\n"), ..Report::default() });
    }
    let pair = pair(args, name);
    let (targets, mut report) = targets(resource, &pair, args, "delete");
    for target in targets {
        for gone in pair.delete(cluster, target)? {
            report.text.push_str(&format!(
                "Deleted '{}' option: id={} name={name}\n",
                target.id().unwrap_or(""),
                gone.id
            ));
        }
    }
    Ok(report)
}

/// Pacemaker writes an element that stays as it is all the same, and counts that.
fn count_change(cluster: &mut Cluster) -> anyhow::Result<()> {
    let (scope, options) = (Scope::All, CibOptions::default());
    cluster.apply(CibCall { action: CibAction::Bump, scope, xml: None, options }, false)?;
    Ok(())
}

/// The resource's element less an attribute.
fn without_attribute(resource: Element<'_>, name: &str) -> String {
    let mut copy = resource.document().clone();
    copy.remove_attr(resource.key(), name);
    copy.element(resource.key()).to_text()
}

/// The elements a change is made to. A meta attribute is changed where it is: in the clone around a resource, or in
/// what a clone is of, unless `--force` insists.
fn targets<'d>(
    resource: Element<'d>,
    pair: &PairOf<'_>,
    args: &Args,
    verb: &str,
) -> (Vec<Element<'d>>, Report) {
    let mut report = Report::silent();
    if args.force || pair.kind != PairKind::Meta || args.set_name.is_some() || args.nvpair.is_some() {
        return (vec![resource], report);
    }
    let (id, name) = (resource.id().unwrap_or(""), pair.name);
    let has = |element: Element<'_>| !pair.find(element).is_empty();
    let child = if matches!(resource.name(), "clone" | "master") {
        resource.children().find(|child| edit::RESOURCE_ELEMENTS.contains(&child.name()))
    } else {
        None
    };
    let clone = enclosing_clone(resource).filter(|clone| clone.name() != "bundle");
    let both = child.map(|child| (child, resource)).or(clone.map(|clone| (resource, clone)));
    if let Some((inner, outer)) = both.filter(|(inner, outer)| has(*inner) && has(*outer)) {
        report.text.push_str(&format!("Multiple attributes match name={name}\n"));
        for pair in pair.find(inner).iter().chain(&pair.find(outer)) {
            report.text.push_str(&format!("  Value: {} \t(id={})\n", pair.value, pair.id));
        }
        report.text.push('\n');
    }
    if let Some(child) = child.filter(|child| has(*child)) {
        let child_id = child.id().unwrap_or("");
        report.text.push_str(&format!(
            "A value for '{name}' already exists in child '{child_id}', performing {verb} on that instead of '{id}'\n"
        ));
        return (vec![child], report);
    }
    if let Some(clone) = clone.filter(|_| !has(resource)) {
        let clone_id = clone.id().unwrap_or("");
        report
            .text
            .push_str(&format!("Performing {verb} of '{name}' on '{clone_id}', the parent of '{id}'\n"));
        return (vec![clone], report);
    }
    let mut targets: Vec<Element<'d>> = Vec::new();
    if resource.is("group") && verb == "update" {
        // Members that have a value of their own would not follow the group's.
        targets.extend(resource.children().filter(|member| member.is("primitive") && has(*member)));
    }
    targets.push(resource);
    if args.recursive {
        targets.extend(dependents(resource));
    }
    (targets, report)
}

/// Resources colocated with the resource, those colocated with each of them right after it, and so on: by name, as
/// Pacemaker's scheduler looks at them.
fn dependents(resource: Element<'_>) -> Vec<Element<'_>> {
    let document = resource.document();
    let mut found: Vec<Element<'_>> = Vec::new();
    let mut next = vec![resource];
    let mut seen: Vec<&str> = resource.id().into_iter().collect();
    while let Some(at) = next.pop() {
        let id = at.id().unwrap_or("");
        if at != resource {
            found.push(at);
        }
        let mut below: Vec<Element<'_>> = Vec::new();
        if let Some(constraints) = edit::section(document, "constraints") {
            for constraint in constraints.children_named("rsc_colocation") {
                let is_bound = constraint.attr("score").is_none_or(|score| !score.starts_with('-'));
                if constraint.attr("with-rsc") == Some(id) && is_bound {
                    below.extend(constraint.attr("rsc").and_then(|rsc| edit::find_resource(document, rsc)));
                }
            }
        }
        below.sort_by_key(|dependent| dependent.id());
        for dependent in below.into_iter().rev() {
            let dependent_id = dependent.id().unwrap_or("");
            if !seen.contains(&dependent_id) {
                seen.push(dependent_id);
                next.push(dependent);
            }
        }
    }
    found
}
