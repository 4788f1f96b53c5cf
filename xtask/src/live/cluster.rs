//! What the cluster does when something fails: issue by issue what an administrator counts on.

use super::{PATIENCE, Test, memory};
use crate::{
    client::{self, Client},
    lab::{ADDRESSES, Lab, Node, wait_until},
    shell,
};
use anyhow::{Context, Result, bail, ensure};
use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

pub(super) const TESTS: &[Test] = &[
    ("every replica and address runs, and the page is there on both addresses", everything_runs),
    ("a container that is killed comes back", |lab| container_comes_back(lab, &["podman", "kill"])),
    ("a container that is stopped by hand comes back", |lab| {
        container_comes_back(lab, &["podman", "stop", "-t", "5"])
    }),
    ("a container that is removed by force comes back", |lab| {
        container_comes_back(lab, &["podman", "rm", "--force"])
    }),
    ("a container whose HAProxy is killed comes back", haproxy_killed),
    ("a container whose first process the kernel kills for want of memory comes back at once", out_of_memory),
    ("a resource that is said to have failed is recovered", said_to_have_failed),
    ("a container started behind the cluster's back is noticed and stopped", started_by_hand),
    ("a killed systoled comes back: nothing stops, monitors go on", |lab| daemon_killed(lab, "systoled")),
    ("a killed systole-execd comes back: nothing stops, monitors go on", |lab| {
        daemon_killed(lab, "systole-execd")
    }),
    ("a node without power gives its addresses to another, and takes part again after a boot", power_off),
    ("a node that is cut off stops what it runs, and takes part again when healed", cut_off),
    ("a broken CIB is refused and changes nothing", broken_cib),
    ("a user sees and changes what access control lists allow, and no more", limited_user),
    ("a full CIB disk is told of, and gets over", full_disk),
];

/// A client that tries again does not notice a pause this short; a busy machine needs some.
const UNNOTICED: Duration = Duration::from_secs(2);

/// Waits until everything the example configures runs, and nowhere twice.
pub fn all_well(lab: &Lab) -> Result<()> {
    wait_until("everything runs", PATIENCE, || is_well(lab)).map(drop)
}

fn is_well(lab: &Lab) -> Result<()> {
    let nodes = lab.nodes()?;
    for bundle in ["haproxy-bundle", "web-bundle"] {
        for node in &nodes {
            lab.container(&node.name, bundle)?;
        }
    }
    for node in &nodes {
        ensure!(lab.haproxy_answers(node), "HAProxy does not answer on {}", node.name);
        for instance in lab.instances(&node.name)? {
            let id = &instance.id;
            ensure!(instance.role == "Started", "{} says that {id} is {}", node.name, instance.role);
            ensure!(!instance.failed, "{} says that {id} failed", node.name);
            ensure!(instance.nodes.len() == 1, "{} says that {id} is on {:?}", node.name, instance.nodes);
        }
    }
    for address in ADDRESSES {
        let holder = lab.address_holder(address)?;
        let id = format!("ip-{address}");
        let said = lab.instance(&holder, &id)?.nodes;
        ensure!(said == [holder.clone()], "{address} is on {holder}, the cluster says {said:?}");
        page(address)?;
    }
    Ok(())
}

fn page(address: Ipv4Addr) -> Result<String> {
    client::fetch(address, 80).with_context(|| format!("http://{address}/ does not answer"))
}

fn everything_runs(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    // HAProxy goes round the servers behind it.
    let mut servers: Vec<_> = (0..9).filter_map(|_| page(ADDRESSES[0]).ok()).collect();
    servers.sort();
    servers.dedup();
    ensure!(servers.len() == lab.nodes()?.len(), "pages come from {servers:?} only");
    Ok(())
}

/// The node the tests do things to: one without an address where there is one.
pub(super) fn quiet_node(lab: &Lab) -> Result<Node> {
    let holders =
        ADDRESSES.into_iter().map(|address| lab.address_holder(address)).collect::<Result<Vec<_>>>()?;
    let nodes = lab.nodes()?;
    let quiet = nodes.iter().find(|node| !holders.contains(&node.name)).or(nodes.first());
    quiet.cloned().context("there are no nodes")
}

fn container_comes_back(lab: &Lab, command: &[&str]) -> Result<()> {
    let node = quiet_node(lab)?;
    let container = lab.container(&node.name, "haproxy-bundle")?;
    replaced_after(lab, &node, &container, || {
        lab.exec(&node.name, &[command, &[container.as_str()]].concat()).map(drop)
    })
}

fn haproxy_killed(lab: &Lab) -> Result<()> {
    let node = quiet_node(lab)?;
    let container = lab.container(&node.name, "haproxy-bundle")?;
    replaced_after(lab, &node, &container, || {
        lab.exec(&node.name, &["podman", "exec", &container, "killall", "-9", "haproxy"]).map(drop)
    })
}

fn out_of_memory(lab: &Lab) -> Result<()> {
    let node = quiet_node(lab)?;
    let container = lab.container(&node.name, "haproxy-bundle")?;
    let signs = || -> Result<usize> {
        let (resource, sign) = (format!("of {container} "), "ended: its monitors run now");
        let logs = lab.run(&["logs", &node.name])?;
        Ok(logs.lines().filter(|line| line.contains(&resource) && line.contains(sign)).count())
    };
    let before = signs()?;
    let inspect = ["podman", "inspect", "--format", "{{.State.Pid}}", &container];
    let first: u32 = lab.exec(&node.name, &inspect)?.trim().parse()?;
    replaced_after(lab, &node, &container, || memory::use_up(lab, &node.name, &container, first))?;
    ensure!(signs()? > before, "that the process had ended was not what brought its monitor forward");
    Ok(())
}

fn said_to_have_failed(lab: &Lab) -> Result<()> {
    let node = quiet_node(lab)?;
    let container = lab.container(&node.name, "haproxy-bundle")?;
    replaced_after(lab, &node, &container, || {
        let args = ["--fail", "--resource", &container, "--node", &node.name];
        shell::output(&mut lab.tool(&node, "crm_resource", &args)).map(drop)
    })
}

/// After `fault` the container is another one, its neighbours are the same, and clients did not notice.
fn replaced_after(lab: &Lab, node: &Node, container: &str, fault: impl FnOnce() -> Result<()>) -> Result<()> {
    let before = containers(lab)?;
    let client = Client::start(ADDRESSES[0]);
    fault()?;
    wait_until("the container is back", PATIENCE, || {
        let now = lab.container_id(&node.name, container)?;
        ensure!(before.get(container) != Some(&now), "{container} has not been replaced");
        ensure!(lab.haproxy_answers(node), "HAProxy does not answer on {}", node.name);
        Ok(())
    })?;
    let answers = client.stop();
    ensure!(answers.longest_gap < UNNOTICED, "a client was without an answer for {:?}", answers.longest_gap);
    forgive(lab, node)?;
    all_well(lab)?;
    for (other, id) in containers(lab)? {
        ensure!(other == container || before.get(&other) == Some(&id), "{other} was restarted too");
    }
    Ok(())
}

/// Every running container of the lab: name and id.
pub(super) fn containers(lab: &Lab) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for node in lab.nodes()?.iter().filter(|node| node.init.is_some()) {
        let text = lab.exec(&node.name, &["podman", "ps", "--no-trunc", "--format", "{{.Names}} {{.ID}}"])?;
        found.extend(
            text.lines().filter_map(|line| line.split_once(' ')).map(|(n, i)| (n.to_owned(), i.to_owned())),
        );
    }
    Ok(found)
}

/// Forgets failures, as an administrator does after a repair.
fn forgive(lab: &Lab, node: &Node) -> Result<()> {
    shell::output(&mut lab.tool(node, "crm_resource", &["--cleanup"])).map(drop)
}

fn started_by_hand(lab: &Lab) -> Result<()> {
    let node = quiet_node(lab)?;
    let container = lab.container(&node.name, "web-bundle")?;
    let set = |role: &str| {
        let args = [
            "--resource",
            "web-bundle",
            "--meta",
            "--set-parameter",
            "target-role",
            "--parameter-value",
            role,
        ];
        shell::output(&mut lab.tool(&node, "crm_resource", &args)).map(drop)
    };
    set("Stopped")?;
    wait_until("the bundle is stopped", PATIENCE, || {
        ensure!(
            !containers(lab)?.keys().any(|name| name.starts_with("web-bundle")),
            "a container still runs"
        );
        Ok(())
    })?;
    let image = "localhost/web:lab";
    lab.exec(
        &node.name,
        &[
            "podman",
            "run",
            "-d",
            "--name",
            &container,
            "--net=host",
            image,
            "/usr/local/bin/web_start",
            "8080",
        ],
    )?;
    // Nobody asks: the executor sees it begin to run.
    wait_until("the stray container is stopped", PATIENCE, || {
        ensure!(lab.container_id(&node.name, &container).is_err(), "{container} still runs");
        Ok(())
    })?;
    set("Started")?;
    all_well(lab)
}

fn daemon_killed(lab: &Lab, daemon: &str) -> Result<()> {
    all_well(lab)?;
    let node = lab.node(&lab.address_holder(ADDRESSES[0])?)?;
    let before = containers(lab)?;
    let pids = lab.pids(&node.name, daemon)?;
    let [pid] = pids.as_slice() else { bail!("{daemon} has the processes {pids:?}") };
    let client = Client::start(ADDRESSES[0]);
    lab.exec(&node.name, &["kill", "-9", &pid.to_string()])?;
    wait_until("the daemon is back", PATIENCE, || {
        let now = lab.pids(&node.name, daemon)?;
        ensure!(now.len() == 1 && now != pids, "{daemon} has the processes {now:?}");
        Ok(())
    })?;
    all_well(lab)?;
    let answers = client.stop();
    ensure!(answers.longest_gap < UNNOTICED, "a client was without an answer for {:?}", answers.longest_gap);
    ensure!(containers(lab)? == before, "a container was restarted");
    // The address's own monitor must still be there to see this.
    let address = ADDRESSES[0].to_string();
    lab.exec(&node.name, &["ip", "addr", "del", &format!("{address}/32"), "dev", "eth0"])?;
    wait_until("the monitor has noticed that the address is gone", PATIENCE, || {
        page(ADDRESSES[0]).map(drop)
    })?;
    forgive(lab, &node)?;
    all_well(lab)
}

pub(super) fn power_off(lab: &Lab) -> Result<()> {
    let victim = lab.address_holder(ADDRESSES[0])?;
    lab.run(&["kill", &victim])?;
    wait_until("the address is on another node", PATIENCE, || {
        ensure!(lab.address_holder(ADDRESSES[0])? != victim, "{victim} still has it");
        page(ADDRESSES[0]).map(drop)
    })?;
    let survivor = lab.address_holder(ADDRESSES[0])?;
    let on_victim: Vec<_> =
        lab.instances(&survivor)?.into_iter().filter(|i| i.nodes.contains(&victim)).collect();
    ensure!(on_victim.is_empty(), "a node without power is said to run {on_victim:?}");
    lab.boot(&victim)?;
    all_well(lab)
}

pub(super) fn cut_off(lab: &Lab) -> Result<()> {
    let victim = lab.address_holder(ADDRESSES[0])?;
    let node = lab.node(&victim)?;
    lab.run(&["cut", &victim])?;
    wait_until("the address is on another node", PATIENCE, || page(ADDRESSES[0]).map(drop))?;
    wait_until("the node without quorum has stopped everything", PATIENCE, || {
        let running = lab.exec(&victim, &["podman", "ps", "--quiet"])?;
        ensure!(running.trim().is_empty(), "containers still run on {victim}");
        let addresses = lab.exec(&victim, &["ip", "-o", "-4", "addr"])?;
        ensure!(!addresses.contains("/32"), "{victim} still has an address: {addresses}");
        Ok(())
    })?;
    let args = ["--modify", "--xml-text", "<rsc_defaults/>"];
    let refused = shell::output(&mut lab.tool(&node, "cibadmin", &args));
    ensure!(refused.is_err(), "a partition without quorum changed the configuration");
    lab.run(&["heal", &victim])?;
    all_well(lab)
}

fn broken_cib(lab: &Lab) -> Result<()> {
    let node = quiet_node(lab)?;
    let configuration =
        || shell::output(&mut lab.tool(&node, "cibadmin", &["--query", "--scope", "configuration"]));
    let before = (configuration()?, containers(lab)?);
    let broken = ["<cib", "<cib><configuration></cib>", "<primitive id=\"x\"/>", "not XML at all", ""];
    for text in broken {
        let mut command = lab.tool(&node, "cibadmin", &["--replace", "--xml-text", text]);
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success(), "{text:?} was taken for a CIB");
        ensure!(!said.trim().is_empty() && !said.contains("panicked"), "{text:?} was refused with: {said}");
    }
    ensure!((configuration()?, containers(lab)?) == before, "something changed");
    is_well(lab)
}

/// What a user with a role may do, who is in `haclient` and so may connect; and one who is in a group with that role.
fn limited_user(lab: &Lab) -> Result<()> {
    let node = quiet_node(lab)?;
    limited_by(lab, &node, r#"<acl_target id="nobody"><role id="viewer"/></acl_target>"#)?;
    lab.exec(&node.name, &["sh", "-c", "echo lab-viewers:x:54321:nobody >> /etc/group"])?;
    let done = limited_by(lab, &node, r#"<acl_group id="lab-viewers"><role id="viewer"/></acl_group>"#);
    lab.exec(&node.name, &["sed", "-i", "/^lab-viewers:/d", "/etc/group"])?;
    done
}

fn limited_by(lab: &Lab, node: &Node, list: &str) -> Result<()> {
    const USER: &str = "nobody";
    const ROLE: &str = r#"<acl_role id="viewer"><acl_permission id="viewer-see" kind="read" xpath="/cib"/>
        <acl_permission id="viewer-hide" kind="deny" xpath="//bundle[@id='web-bundle']"/>
        <acl_permission id="viewer-tag" kind="write" xpath="//crm_config"/></acl_role>"#;
    let lists = format!("<acls>{ROLE}{list}</acls>");
    let as_root = |tool: &str, args: &[&str]| shell::output(&mut lab.tool(node, tool, args)).map(drop);
    let as_user = |words: &[&str]| {
        let user = ["setpriv", "--reuid", USER, "--regid", "haclient", "--clear-groups"];
        let output = lab.exec_command(&node.name, &[&user, words].concat()).output()?;
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        anyhow::Ok((output.status.code(), said))
    };
    as_root("cibadmin", &["--modify", "--allow-create", "--scope", "configuration", "--xml-text", &lists])?;
    as_root("crm_attribute", &["--name", "enable-acl", "--update", "true"])?;
    let (_, seen) = as_user(&["cibadmin", "--query", "--scope", "resources"])?;
    ensure!(seen.contains("haproxy-bundle") && !seen.contains("web-bundle"), "{USER} sees {seen}");
    for (words, wanted) in [
        (&["crm_attribute", "--name", "cluster-name", "--update", "renamed"][..], 0),
        (&["crm_attribute", "--node", &node.name, "--name", "standby", "--update", "on"], 4),
        (&["attrd_updater", "--name", "ping", "--update", "1", "--node", &node.name], 4),
        (&["cibadmin", "--delete", "--xml-text", r#"<bundle id="haproxy-bundle"/>"#], 4),
    ] {
        let (code, said) = as_user(words)?;
        ensure!(code == Some(wanted), "{words:?} ends with {code:?}, not {wanted}: {said}");
        ensure!((wanted == 4) == said.contains("Permission denied"), "{words:?} says {said}");
    }
    as_root("crm_attribute", &["--name", "enable-acl", "--delete"])?;
    as_root("cibadmin", &["--delete", "--xml-text", "<acls/>"])?;
    is_well(lab)
}

fn full_disk(lab: &Lab) -> Result<()> {
    let node = quiet_node(lab)?;
    let dir = "/var/lib/pacemaker/cib";
    // A disk just for the CIB, with what was there before, and then with no room left.
    let small_disk = format!(
        "set -e; mkdir /tmp/cib; cp -a {dir}/. /tmp/cib; mount -t tmpfs -o size=4m tmpfs {dir}; \
         chown --reference=/tmp/cib {dir}; chmod --reference=/tmp/cib {dir}; cp -a /tmp/cib/. {dir}; rm -r /tmp/cib; \
         dd if=/dev/zero of={dir}/full bs=1k 2>/dev/null || true"
    );
    lab.exec(&node.name, &["sh", "-c", &small_disk])?;
    let result = with_full_disk(lab, &node);
    lab.exec(&node.name, &["sh", "-c", &format!("umount {dir} || rm {dir}/full")])?;
    result?;
    wait_until("a change goes through again", PATIENCE, || set_option(lab, &node, "after"))?;
    all_well(lab)
}

fn with_full_disk(lab: &Lab, node: &Node) -> Result<()> {
    let before = containers(lab)?;
    // Whether the change is refused or taken by the others: it must not hang, and the trouble must be told of.
    let _ = set_option(lab, node, "during");
    wait_until("status tells of the disk", Duration::from_secs(30), || {
        let text = shell::output(&mut lab.tool(node, "status", &[]))?.to_lowercase();
        ensure!(text.contains("disk") || text.contains("no space"), "status says nothing of it: {text}");
        Ok(())
    })?;
    ensure!(containers(lab)? == before, "a container was restarted");
    Ok(())
}

pub(super) fn set_option(lab: &Lab, node: &Node, value: &str) -> Result<()> {
    let args = ["--type", "crm_config", "--name", "test-option", "--update", value];
    let mut command = lab.tool(node, "crm_attribute", &args);
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
