//! Agents that are run by hand: what they are told, what they say, and how the tool ends.

mod support;

use std::{fs, os::unix::fs::PermissionsExt as _};
use support::Place;

const CIB: &str = r#"<cib validate-with="pacemaker-4.0" have-quorum="1" admin_epoch="0" epoch="1" num_updates="0"><configuration>
<crm_config><cluster_property_set id="o"><nvpair id="o1" name="fencing-enabled" value="false"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="a"/></nodes><resources>
<primitive id="db" class="ocf" provider="test" type="agent"><instance_attributes id="p"><nvpair id="p1" name="size" value="4"/>
</instance_attributes></primitive>
<clone id="all"><primitive id="one" class="ocf" provider="test" type="agent"/></clone>
<group id="g"><primitive id="m" class="ocf" provider="test" type="agent"/></group>
<primitive id="fence" class="stonith" type="fence_x"/></resources><constraints/></configuration><status>
<node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>
<lrm_resource id="one" class="ocf" provider="test" type="agent"><lrm_rsc_op id="one_last_0" operation_key="one_start_0"
operation="start" transition-key="2:1:0:n" transition-magic="0:0;2:1:0:n" call-id="3" rc-code="0" op-status="0" interval="0"/>
</lrm_resource></lrm_resources></lrm></node_state></status></cib>"#;

/// Says what it is told; does not run, cannot be promoted, and takes no size above 9.
const AGENT: &str = "#!/bin/sh\n\
    echo \"$1 $OCF_RESOURCE_INSTANCE size=$OCF_RESKEY_size level=$OCF_RESKEY_OCF_CHECK_LEVEL$OCF_CHECK_LEVEL\"\n\
    case $1 in monitor) exit 7;; promote) exit 3;; validate-all) test \"${OCF_RESKEY_size:-0}\" -lt 9 && exit 0\n\
    echo 'ocf-exit-reason:too large' >&2; exit 6;; esac\n";

fn place() -> Place {
    let place = Place::new().with_cib(CIB);
    let provider = place.dir.join("ocf/resource.d/test");
    fs::create_dir_all(&provider).expect("the disk has room");
    let agent = provider.join("agent");
    fs::write(&agent, AGENT).expect("the disk has room");
    fs::set_permissions(agent, fs::Permissions::from_mode(0o755)).expect("ours");
    place
}

#[test]
fn an_agent_is_run_past_the_cluster_and_its_result_is_the_tools() {
    for (words, code, said) in [
        (
            "-r db --force-start",
            0,
            "Operation force-start for db (ocf:test:agent) returned 0 (OK)\nstart db size=4 level=\n",
        ),
        (
            "-r db --force-stop size=5",
            0,
            "Operation force-stop for db (ocf:test:agent) returned 0 (OK)\nstop db size=5 level=\n",
        ),
        (
            "-r db --force-check",
            7,
            "Operation force-check for db (ocf:test:agent) returned 7 (Not running)\nmonitor db size=4",
        ),
        ("-r db --force-check 10", 7, "monitor db size=4 level=10"),
        ("-r db --force-promote", 3, "returned 3 (Unimplemented)"),
        (
            "-r db --validate",
            0,
            "Operation validate for db (ocf:test:agent) returned 0 (OK)\nvalidate-all db size=4",
        ),
        ("-r db --validate size=9", 6, "returned 6 (Not configured: too large)"),
        ("-r all --force-stop", 0, "Operation force-stop for all (ocf:test:agent) returned 0 (OK)"),
        // What runs already is not started beside the cluster's back.
        ("-r one --force-start", 107, "already active"),
        ("-r one --force-start --force", 0, "returned 0 (OK)"),
        ("-r g --force-start", 3, "no single resource"),
        ("-r fence --force-start", 3, "fence agents"),
        ("-r nope --force-start", 105, "'nope' not found"),
        ("--force-start", 64, "Must supply a resource ID"),
        (
            "--validate --class ocf --provider test --agent agent --option size=1",
            0,
            "Operation validate (ocf:test:agent) returned 0",
        ),
        (
            "--validate --class ocf --provider test --agent agent --option size=99",
            6,
            "(Not configured: too large)",
        ),
        ("--validate --class ocf --agent agent", 64, "--provider"),
        ("--validate --agent agent", 64, "--class"),
        ("--validate --class ocf --provider test --agent nope", 5, "there is no agent"),
        ("--digests -r db -N a", 0, "(all parameters)"),
        ("--digests -r db", 64, "Must supply a node name"),
        ("--digests -r db -N nope", 105, "Node 'nope' not found"),
        ("--digests -r g -N a", 3, "not a primitive"),
        ("--digests -r db -N a size", 64, "NAME=VALUE"),
    ] {
        let place = place();
        let outcome = place.sh(&format!("OCF_ROOT=$PWD/ocf crm_resource {words}"));
        assert_eq!(outcome.code, code, "{words}: {outcome:?}");
        let all = format!("{}{}", outcome.out, outcome.err);
        assert!(all.contains(said), "{words} says {all:?}, not {said:?}");
        assert_eq!(place.cib_text(), CIB, "{words} changed the CIB");
    }
}

#[test]
fn programs_get_what_an_agent_said_in_a_form_of_its_own() {
    let words = "--validate --class ocf --provider test --agent agent --option size=99 --output-as=xml";
    let outcome = place().sh(&format!("OCF_ROOT=$PWD/ocf crm_resource {words}"));
    for part in [
        "<resource-agent-action action=\"validate\" class=\"ocf\" type=\"agent\" provider=\"test\">",
        "<agent-status code=\"6\" message=\"Not configured\" execution_code=\"0\" execution_message=\"Done\" reason=\"too large\"/>",
        "<output source=\"stderr\">ocf-exit-reason:too large\n</output>",
        "<status code=\"6\" message=\"Not configured\">",
    ] {
        assert!(outcome.out.contains(part), "{part} in {}", outcome.out);
    }
}

/// Knows its description, and takes no parameter `bad`.
const FENCE_AGENT: &str = "#!/bin/sh\nall=$(cat)\ncase $all in *action=metadata*) echo '<resource-agent name=\"fence_x\"/>';;\n\
    *bad=*) echo 'no such thing: bad' >&2; exit 1;; *) echo checked;; esac\n";

fn with_fence_agent() -> Place {
    let place = place();
    let agent = place.dir.join("fence_x");
    fs::write(&agent, FENCE_AGENT).expect("the disk has room");
    fs::set_permissions(agent, fs::Permissions::from_mode(0o755)).expect("ours");
    place
}

#[test]
fn fence_agents_are_of_a_class_of_their_own() {
    for (words, code, said) in [
        ("--list-standards", 0, "service\nstonith\n"),
        ("--list-agents stonith", 0, "fence_x\n"),
        ("--show-metadata stonith:fence_x", 0, "<resource-agent name=\"fence_x\"/>"),
        ("--show-metadata stonith:fence_none", 105, "stonith:fence_none"),
    ] {
        let outcome = with_fence_agent().sh(&format!("SYSTOLE_FENCE_AGENTS=$PWD crm_resource {words}"));
        assert_eq!(outcome.code, code, "{words}: {outcome:?}");
        let all = format!("{}{}", outcome.out, outcome.err);
        assert!(all.contains(said), "{words}: {outcome:?}");
    }
}

#[test]
fn fence_devices_and_agents_are_told_and_no_node_is_said_to_be_fenced() {
    for (words, code, said) in [
        ("-L", 0, "fence\n1 fence device found\n"),
        ("-L --output-as=xml", 0, "<list name=\"Registered fence devices\" count=\"1\">"),
        ("-I", 0, "fence_x\n1 fence device found\n"),
        ("-M -a fence_x", 0, "<resource-agent name=\"fence_x\"/>"),
        ("-M -a fence_none", 105, "no fence agent"),
        ("-M -a ../fence_x", 105, "no fence agent"),
        ("-M", 64, "--agent"),
        ("-K -a fence_x -o a=1", 0, "Validation of fence_x succeeded\nchecked\n"),
        ("-K -a fence_x --option bad=1", 1, "Validation of fence_x failed\nno such thing: bad\n"),
        (
            "-K -a fence_x --option bad=1 --output-as=xml",
            1,
            "<output source=\"stderr\">no such thing: bad\n</output>",
        ),
        ("-K -a fence_x -o bad", 64, "NAME=VALUE"),
        ("-H a", 0, "no fencing is recorded"),
        ("-H '*' -V", 0, "no fencing is recorded"),
        ("-H nope", 105, "Node 'nope' not found"),
        // What is not done is not said to be done.
        ("-F a", 102, "running cluster"),
        ("-B a -t 5", 102, "running cluster"),
        ("-U a", 102, "running cluster"),
        ("-Q fence", 102, "running cluster"),
        ("-C a", 102, "running cluster"),
        ("-L -I", 64, "cannot be used with"),
        ("", 64, "required"),
    ] {
        let place = with_fence_agent();
        let outcome = place.sh(&format!("SYSTOLE_FENCE_AGENTS=$PWD stonith_admin {words}"));
        let all = format!("{}{}", outcome.out, outcome.err);
        assert_eq!(outcome.code, code, "{words}: {outcome:?}");
        assert!(all.contains(said), "{words} says {all:?}, not {said:?}");
        assert_eq!(place.cib_text(), CIB, "{words} changed the CIB");
    }
}

#[test]
fn options_of_resources_and_fence_devices_are_listed() {
    let place = Place::new();
    for (command, has, lacks) in [
        ("crm_resource --list-options=primitive", "* migration-threshold:", "pcmk_"),
        ("crm_resource --list-options=fencing", "* pcmk_host_list:", "pcmk_reboot_action"),
        ("crm_resource --list-options=fencing --all", "* pcmk_reboot_action:", "migration-threshold"),
        (
            "crm_resource --list-options=primitive --output-as=xml",
            "<parameter name=\"remote-port\" advanced=\"0\" generated=\"0\">",
            "pcmk_",
        ),
        (
            // Programs get all of them.
            "crm_resource --list-options=fencing --output-as=xml",
            "<parameter name=\"pcmk_reboot_action\" advanced=\"1\" generated=\"0\">",
            "migration-threshold",
        ),
    ] {
        let outcome = place.sh(command);
        assert_eq!(outcome.code, 0, "{command}: {outcome:?}");
        assert!(outcome.out.contains(has) && !outcome.out.contains(lacks), "{command}: {}", outcome.out);
    }
    assert_eq!(place.sh("crm_resource --list-options=clone").code, 64);
}

#[test]
fn front_ends_get_options_and_releases_from_the_daemons_programs() {
    let place = Place::new();
    for (command, code, said) in [
        ("pacemaker-fenced metadata", 0, "<parameter name=\"pcmk_host_list\">"),
        ("pacemaker-schedulerd metadata", 0, "<parameter name=\"stonith-enabled\">"),
        ("pacemaker-controld metadata", 0, "<resource-agent name=\"pacemaker-controld\" version=\"3.0.2\">"),
        ("pacemaker-based metadata", 0, "<parameter name=\"enable-acl\">"),
        ("pacemaker-controld version", 0, "CRM Version: 3.0.2 "),
        ("pacemakerd --features", 0, "Pacemaker 3.0.2 (Build: "),
        ("pacemakerd '-$'", 0, "Pacemaker 3.0.2\n"),
        ("pacemakerd", 64, "systoled"),
        ("pacemaker-based", 64, "systoled"),
    ] {
        let outcome = place.sh(command);
        assert_eq!(outcome.code, code, "{command}: {outcome:?}");
        assert!(format!("{}{}", outcome.out, outcome.err).contains(said), "{command}: {outcome:?}");
    }
}
