//! Changes of a running control plane: what `systole plan` said would be touched is touched, and nothing else.

use super::{Test, openstack::all_well};
use crate::{
    lab::{Lab, Node, wait_until},
    shell,
};
use anyhow::{Context, Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use systole_cib::xml::{Document, Element};

pub(super) const TESTS: &[Test] = &[
    ("control plane: one replica less of Redis, and one more: nothing else is touched, as planned", |lab| {
        change(lab, &modify(r#"<bundle id="redis-bundle"><podman replicas="2"/></bundle>"#))?;
        change(lab, &modify(r#"<bundle id="redis-bundle"><podman replicas="3"/></bundle>"#))?;
        all_well(lab)
    }),
    (
        "control plane: a change of a bundle's options restarts its replicas and nothing else, as planned",
        |lab| {
            let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
            let options = options_of(lab, &node, "rabbitmq-bundle")?;
            change(lab, &set_options(&format!("{options} -e EXAMPLE=1")))?;
            all_well(lab)?;
            change(lab, &set_options(&options))?;
            all_well(lab)
        },
    ),
    ("control plane: a storage mapping more restarts what has it and nothing else, as planned", |lab| {
        change(
            lab,
            &modify(
                r#"<bundle id="haproxy-bundle"><storage><storage-mapping id="haproxy-more" options="ro" source-dir="/etc/hostname" target-dir="/etc/node"/></storage></bundle>"#,
            ),
        )?;
        all_well(lab)?;
        for node in lab.nodes()? {
            let container = lab.container(&node.name, "haproxy-bundle")?;
            let said = lab.exec(&node.name, &["podman", "exec", &container, "cat", "/etc/node"])?;
            ensure!(said.trim() == node.name, "{container} on {} reads {said:?}", node.name);
        }
        change(
            lab,
            &words(&["cibadmin", "--delete", "--xml-text", r#"<storage-mapping id="haproxy-more"/>"#]),
        )?;
        all_well(lab)
    }),
];

/// How long a change may take to be carried out: three services stop, and start one after the other.
const PATIENCE: Duration = Duration::from_secs(300);

/// A resource's place: its id (less an instance's number, which is the cluster's affair), and the node.
type Spot = (String, String);

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn modify(xml: &str) -> Vec<String> {
    words(&["cibadmin", "--modify", "--scope", "resources", "--xml-text", xml])
}

fn set_options(options: &str) -> Vec<String> {
    modify(&format!(r#"<bundle id="rabbitmq-bundle"><podman options="{options}"/></bundle>"#))
}

fn options_of(lab: &Lab, node: &Node, bundle: &str) -> Result<String> {
    let cib = query(lab, node)?;
    let podman = cib.find_id(bundle).and_then(|bundle| bundle.child("podman")).context("no such bundle")?;
    Ok(podman.attr("options").unwrap_or_default().to_owned())
}

/// Makes a change, and compares what was touched with what the plan for it says.
fn change(lab: &Lab, command: &[String]) -> Result<()> {
    wait_until("nothing is under way", PATIENCE, || lab.run(&["wait"]).map(drop))?;
    let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let planned = planned(lab, &node, &words)?;
    ensure!(!planned.is_empty(), "the plan says that nothing happens");
    let before = touched_last(&query(lab, &node)?);
    shell::output(&mut lab.tool(&node, words[0], &words[1..]))?;
    wait_until("all that was planned is carried out", PATIENCE, || {
        lab.run(&["wait"])?;
        let after = touched_last(&query(lab, &node)?);
        let touched: BTreeSet<Spot> = before
            .keys()
            .chain(after.keys())
            .filter(|spot| before.get(*spot) != after.get(*spot))
            .cloned()
            .collect();
        ensure!(touched == planned, "planned were {planned:?}, touched were {touched:?}");
        Ok(())
    })?;
    println!("          planned and touched: {} of {} places", planned.len(), before.len());
    Ok(())
}

/// Where the plan for a change has something happen.
fn planned(lab: &Lab, node: &Node, change: &[&str]) -> Result<BTreeSet<Spot>> {
    let plan = lab.tool(node, "plan", &[&["--output-as=xml"], change].concat());
    let text = shell::output(&mut { plan })?;
    let document = parse(&text)?;
    let plan = document.root().child("plan").context("no plan")?;
    ensure!(
        plan.attr("comes_to_rest") == Some("true"),
        "by the plan, the cluster does not come to rest: {text}"
    );
    let anyway = plan.child("anyway").map_or(0, |anyway| anyway.children().count());
    ensure!(anyway == 0, "the cluster has something to do already: {text}");
    let mut spots = BTreeSet::new();
    for happening in
        plan.child("happens").into_iter().flat_map(|happens| happens.children_named("resource_change"))
    {
        let resource = happening.attr("resource").unwrap_or_default();
        let id = resource.split(':').next().unwrap_or_default();
        for node in ["from", "to"].iter().filter_map(|place| happening.attr(place)) {
            spots.insert((id.to_owned(), node.to_owned()));
        }
    }
    Ok(spots)
}

/// The action that last changed a resource's state at each of its places, by the operation history.
fn touched_last(cib: &Document) -> BTreeMap<Spot, String> {
    let mut found = BTreeMap::new();
    let nodes = cib.root().descendants().filter(|element| element.is("node_state"));
    for node in nodes {
        let resources = node.descendants().filter(|element| element.is("lrm_resource"));
        for resource in resources {
            let id = resource.id().unwrap_or_default();
            let last =
                resource.children_named("lrm_rsc_op").find(|op| op.id() == Some(&format!("{id}_last_0")));
            let Some(key) = last.filter(|op| changes_state(*op)).and_then(|op| op.attr("transition-key"))
            else {
                continue;
            };
            let node = node.attr("uname").unwrap_or_default();
            found.insert((id.to_owned(), node.to_owned()), key.to_owned());
        }
    }
    found
}

/// A probe changes nothing.
fn changes_state(op: Element<'_>) -> bool {
    op.attr("operation") != Some("monitor")
}

fn query(lab: &Lab, node: &Node) -> Result<Document> {
    parse(&shell::output(&mut lab.tool(node, "cibadmin", &["--query"]))?)
}

fn parse(text: &str) -> Result<Document> {
    Document::parse(text).map_err(|error| anyhow::anyhow!("{error}: {text}"))
}
