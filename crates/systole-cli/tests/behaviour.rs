//! What administrators do, on a CIB in a file: what changes, what is said, and that nothing changes when something is
//! wrong.

mod support;

use support::Place;

const WEB: &str = include_str!("cibs/web.xml");

fn web() -> Place {
    Place::new().with_cib(WEB)
}

#[test]
fn mistakes_are_told_by_exit_codes_and_change_nothing() {
    for (command, code, said) in [
        ("systole nonsense", 64, "unrecognized subcommand"),
        ("systole resource move", 64, "required"),
        ("systole resource disable nope", 105, "'nope' not found"),
        ("crm_resource --list-operations --node nowhere", 105, "'nowhere' not found"),
        ("systole resource disable vip nope", 105, "'nope' not found"),
        ("systole resource move vip nowhere", 105, "'nowhere' not found"),
        ("systole resource move vip alpha", 108, "already"),
        ("systole resource move ping", 64, "active in 3 locations"),
        ("systole resource ban vip --lifetime soon", 64, "soon"),
        ("systole resource restart old", 105, "not running anywhere"),
        ("systole resource restart vip", 102, "running cluster"),
        ("systole resource enable vip --wait", 102, "running cluster"),
        ("systole resource disable vip --wait", 102, "running cluster"),
        ("systole resource ban vip --wait", 102, "running cluster"),
        ("systole node standby alpha --wait", 102, "running cluster"),
        ("systole node attribute alpha nope", 105, "no attribute nope"),
        ("systole node attribute alpha a=1 =2", 64, "names no attribute"),
        ("systole cib replace", 64, "FILE"),
        ("systole cib delete", 64, "--xpath"),
        ("systole status --classic --json", 64, "cannot be used with"),
        ("systole status --classic --output-as=xml", 64, "for people"),
        ("crm_node -l --output-to=/nowhere/at/all", 1, "/nowhere/at/all"),
        ("crm_mon -1 --output-as=xml --output-to=/nowhere/at/all", 1, "/nowhere/at/all"),
        ("systole status --output-to=/nowhere/at/all", 73, "/nowhere/at/all"),
        ("echo '<a/>' | CIB_file=- systole status", 78, "standard input is not a CIB"),
        ("attrd_updater -n x -U 1 -p", 3, "--private"),
        ("attrd_updater -n x -U 1 -A", 64, "--all"),
        ("systole option set batch-limit=3 stonith-enabled=maybe", 64, "true or false"),
        ("systole option set no-quorum-policy=foo", 64, "one of stop"),
        ("systole option set stonith-enabeld=true", 64, "did you mean stonith-enabled?"),
        ("systole option unset stonith_enabled", 105, "did you mean stonith-enabled?"),
        ("systole status --node nowhere", 105, "nowhere"),
        ("systole status --resource nope", 105, "nope"),
        ("crm_standby -N alpha -v maybe", 64, "maybe"),
        ("crm_failcount -r vip -N alpha -n start -I soon", 64, "soon"),
        ("crm_failcount -r vip -N alpha -I 10s", 64, "--operation"),
        ("cibadmin --md5-sum", 64, "needs XML"),
        ("systole node standby nowhere", 105, "there is no node nowhere"),
        ("systole node standby alhpa", 105, "did you mean alpha?"),
        ("systole whatif --fail alhpa", 105, "did you mean alpha?"),
        ("systole explain vpi", 105, "did you mean vip?"),
        ("systole constraint delete no-such-thing", 105, "there is no constraint no-such-thing"),
        ("systole option set maintenance-mode", 64, "NAME=VALUE"),
        ("systole option get no-such-option", 105, "is not set"),
        ("systole explain nope", 105, "nope"),
        ("systole cib replace no-such-file.xml", 66, "no-such-file.xml"),
        ("systole cib create -o resources -X '<primitive id=\"vip\"/>'", 108, "vip"),
        ("systole cib replace -X '<cib><a'", 65, "command line:1:"),
        ("systole cib query --xpath '//['", 65, "XPath"),
        ("systole cib query --xpath //nothing", 105, ""),
        ("systole cib erase", 107, "--force"),
        ("systole status --watch=maybe", 64, ""),
        ("cibadmin", 64, "no command"),
        ("cibadmin --no-such-option", 64, ""),
        ("cibadmin -Q -E", 64, "more than one"),
        ("sed 's/ epoch=\"[0-9]*\"/ epoch=\"1\"/' cib.xml | cibadmin -R -p", 103, "version"),
        ("cibadmin -E", 107, "--force"),
        ("crm_resource -r nope -W", 105, "'nope' not found"),
        ("crm_resource -r vip -p ip", 64, "value"),
        ("crm_resource -M", 64, "resource ID"),
        ("crm_resource -D -r vip", 64, "resource type"),
        ("crm_attribute -n x -G", 105, ""),
        ("crm_attribute -N nowhere -n x -v 1", 105, "nowhere"),
        ("crm_attribute -N alpha -D", 64, "name or pattern"),
        ("crm_attribute -p '' -G", 64, "resource agent"),
        ("crm_node -R alpha", 64, "--force"),
        ("crm_failcount -G", 64, "resource"),
        ("attrd_updater -U 1", 64, "name"),
        ("crm_mon -1 --include=nonsense", 64, "nonsense"),
        ("crm_mon -1 -m 9", 64, "0-3"),
        ("crm_mon -1 --output-as=nope", 1, "nope"),
        ("crm_mon -1 --output-as", 64, "--output-as"),
        (": > empty; CIB_file=empty cibadmin -Q", 78, "no XML element"),
        ("CIB_file=. crm_resource -L", 78, "directory"),
        ("crm_verify", 1, "No input specified"),
        ("iso8601 -d someday", 2, "someday"),
        ("crm_diff -o cib.xml", 64, "--new"),
        ("crm_resource --show-metadata ocf:nobody:Nothing", 105, "ocf:nobody:Nothing"),
        ("crm_resource --list-agents nonsense", 1, "nonsense"),
        ("crm_resource --show-metadata nonsense", 105, "nonsense"),
        ("crmadmin", 64, "no command"),
        ("crm_resource -C -r smtp -n start", 0, "Dry run"),
        ("crm_verify -X '<cib'", 78, "1:"),
        ("CIB_file=missing.xml crm_mon -1", 105, "missing.xml"),
        ("env -u CIB_file SYSTOLE_SOCKET=/none.sock crm_mon -1", 102, "not connected"),
    ] {
        let place = web();
        let outcome = place.sh(command);
        assert_eq!(outcome.code, code, "{command}: {outcome:?}");
        assert!(outcome.err.contains(said), "{command} says {:?}, not {said:?}", outcome.err);
        assert!(code == 64 || outcome.out.is_empty(), "{command} prints {:?}", outcome.out);
        assert_eq!(place.cib_text(), WEB, "{command} changed the CIB");
    }
}

#[test]
fn commands_do_and_undo_what_they_say() {
    for (commands, present, absent) in [
        (&["systole resource disable vip"][..], "vip-meta_attributes-target-role", ""),
        (
            &["systole resource disable ping"],
            "ping-clone-meta_attributes-target-role",
            "ping-meta_attributes",
        ),
        (&["systole resource disable proxy"], "proxy-meta_attributes-target-role", ""),
        (&["systole resource enable old"], "", "old-meta_attributes-target-role"),
        (&["systole resource unmanage mail"], "mail-meta_attributes-is-managed", ""),
        (&["systole resource unmanage mail", "systole resource manage mail"], "", "is-managed"),
        (&["systole resource move vip beta"], "id=\"cli-prefer-vip\"", ""),
        (&["systole resource move vip"], "id=\"cli-ban-vip-on-alpha\"", ""),
        (&["systole resource ban vip beta"], "id=\"cli-ban-vip-on-beta\"", ""),
        (&["systole resource ban vip beta", "systole resource clear vip"], "", "cli-ban"),
        (&["systole resource cleanup smtp"], "", "fail-count-smtp"),
        (&["systole node standby beta"], "nodes-2-standby", ""),
        (&["systole node standby beta", "systole node unstandby beta"], "", "nodes-2-standby"),
        (&["systole node maintenance gamma"], "nodes-3-maintenance", ""),
        (&["systole node attribute beta rack="], "", "nodes-2-rack"),
        (&["systole node attribute beta zone=x --transient"], "status-2-zone", ""),
        // The option is there under its older name: it is changed, not given twice.
        (
            &["systole option set fencing-enabled=true"],
            "name=\"stonith-enabled\" value=\"true\"",
            "\"fencing-enabled\"",
        ),
        (&["systole option unset fencing-enabled"], "", "stonith-enabled"),
        (&["systole option set --force no-such-option=1"], "name=\"no-such-option\" value=\"1\"", ""),
        (&["crm_attribute -N alpha -n a -v 5", "crm_attribute -N alpha -n a -v value++"], "value=\"6\"", ""),
        (&["crm_attribute -N alpha -l reboot -n a -v -INFINITY"], "value=\"-INFINITY\"", ""),
        (&["crm_standby -N alpha -v on"], "nodes-1-standby", ""),
        (&["crm_master -r db -N alpha -v 10"], "name=\"master-db\" value=\"10\"", ""),
        (&["attrd_updater -N alpha -n t -U 1 -D"], "", "status-1-t"),
        (&["crm_failcount -D -r smtp -N gamma"], "", "fail-count-smtp"),
        (&["crm_resource -r vip -m -p priority -v 5"], "vip-meta_attributes-priority", ""),
        (&["crm_resource -r vip -m -p priority -v 5", "crm_resource -r vip -m -d priority"], "", "priority"),
        (&["crm_resource -D -t primitive -r old"], "", "<primitive id=\"old\""),
        (&["crm_node --force -R gamma"], "", "uname=\"gamma\""),
        (&["cibadmin -D -A \"//primitive[@id='old']\""], "", "<primitive id=\"old\""),
    ] {
        let place = web();
        for command in commands {
            let outcome = place.sh(command);
            assert_eq!(outcome.code, 0, "{command}: {outcome:?}");
        }
        let text = place.cib_text();
        assert!(text.contains(present), "{commands:?} leaves {present:?} in\n{text}");
        assert!(absent.is_empty() || !text.contains(absent), "{commands:?} leaves no {absent:?} in\n{text}");
    }
}

#[test]
fn queries_print_what_scripts_read() {
    for (command, out) in [
        ("crm_resource -r vip -g ip", "192.0.2.10\n"),
        ("crm_resource -W -r vip", "resource vip is running on: alpha\n"),
        ("crm_resource -Q -W -r vip", "alpha\n"),
        (
            "TZ=UTC crm_resource -O -r vip -N alpha | head -n 1",
            "vip\t(ocf:heartbeat:IPaddr2):\t Started: vip_start_0 (node=alpha, call=2, rc=0, \
             last-rc-change='Thu Jan  2 10:00:00 2025', exec=0ms): Done\n",
        ),
        ("crm_attribute -N beta -n rack -G -q", "b\n"),
        ("crm_attribute -N beta -n rack -G", "scope=nodes name=rack value=b\n"),
        ("crm_attribute --name nothing --query --quiet --default '' --node beta", "\n"),
        ("crm_failcount -G -r smtp -N gamma -q", "INFINITY\n"),
        ("crm_standby -G -N alpha -q", "off\n"),
        ("systole option get fencing-enabled", "false\n"),
        ("OCF_RESKEY_CRM_meta_on_node=alpha crm_node -n", "alpha\n"),
        ("crm_error -X 105", "No such object\n"),
        ("crm_mon -1 --exclude=all --include=bans -L=other", ""),
        ("iso8601 -d '2024-01-02T03:04:05+01:00'", "Date: 2024-01-02 02:04:05Z\n"),
        ("iso8601 -d 2024-01-02 -s", "Date: 63839750400\n"),
        ("crm_diff -o cib.xml -n cib.xml", ""),
        ("cat $CIB_file | CIB_file=- crm_resource -Q -W -r vip", "alpha\n"),
    ] {
        let outcome = web().sh(command);
        assert_eq!((outcome.out.as_str(), outcome.code), (out, 0), "{command}: {outcome:?}");
    }
}

/// As with Pacemaker's tools; but somebody may have meant something by them.
#[test]
fn stray_words_are_passed_over_and_told() {
    let place = web();
    for command in [
        "crm_mon -1 -Q stray",
        "crmadmin -N all stray",
        "crm_standby -G -N alpha stray",
        "crm_failcount -G -r vip -N alpha stray",
    ] {
        let (with, without) =
            (place.sh(command), place.sh(command.strip_suffix(" stray").expect("it ends so")));
        assert_eq!((with.code, &with.out), (0, &without.out), "{command}");
        assert!(with.err.contains("\"stray\" belongs to no option"), "{command}: {with:?}");
    }
}

#[test]
fn options_of_former_days_still_mean_what_they_did() {
    let place = web();
    for (command, code, out) in [
        ("crm_resource -r vip -W -H alpha", 0, "resource vip is running on: alpha\n"),
        (
            "crm_attribute -U alpha -n rack -v 1 --wait cluster --id r; crm_attribute --node-uname alpha -n rack -GQ",
            0,
            "1\n",
        ),
        ("crm_attribute -n rack -N alpha -v 2 -W soon", 64, ""),
        ("crm_attribute -L cluster -a | grep -c '* cluster-delay'", 0, "1\n"),
        ("crm_standby -U alpha --attr-value on; crm_standby --uname alpha --get-value -Q", 0, "on\n"),
        ("crm_standby -N alpha --delete-attr > /dev/null; crm_standby -N alpha -GQ", 0, "off\n"),
        ("crm_failcount --resource-id vip -U alpha --get-value -l reboot -i x -Q", 0, "0\n"),
        ("crm_failcount -r vip -N alpha -v 5", 64, ""),
        ("crm_failcount -r vip -N alpha -v 0 > /dev/null", 0, ""),
        (
            "crm_master -r db -U alpha -l reboot --attr-value 4; crm_master -r db -U alpha -l reboot --get-value -Q",
            0,
            "4\n",
        ),
        ("cibadmin -Q -N alpha --xpath //nothing", 105, ""),
        ("CIB_file= crm_ticket -x cib.xml --raw", 0, ""),
        ("crmadmin --health", 64, ""),
        ("attrd_updater -n x -U 1 --utilization", 3, ""),
        ("crm_mon --output-as=html --html-cgi | head -1", 0, "Content-Type: text/html\n"),
        ("stonith_admin --fence alpha --tolerance 5s --delay -1 -T me", 102, ""),
        ("stonith_admin -R d -a fence_x -o a=b -e c", 102, ""),
        ("stonith_admin -R d", 64, ""),
        (
            "attrd_updater -n x -U 5 -N beta; attrd_updater -n x -N beta | tail -n 1",
            0,
            "name=\"x\" host=\"beta\" value=\"5\"\n",
        ),
        ("attrd_updater -P x", 64, ""),
    ] {
        let outcome = place.sh(command);
        assert_eq!((outcome.code, outcome.out.as_str()), (code, out), "{command}: {outcome:?}");
    }
    let outcome = place.sh("crm_mon --old-option");
    assert!(outcome.code == 64 && !outcome.err.contains("as a value"), "{outcome:?}");
}

#[test]
fn bans_are_listed_for_sets_patterns_and_rules_by_node() {
    let bans = r##"<rsc_location id="by-set" score="-INFINITY" node="beta"><resource_set id="s"><resource_ref id="vip"/><resource_ref id="smtp"/>
        </resource_set></rsc_location><rsc_location id="by-pattern" rsc-pattern="^(pi)ng" node="alpha" score="-5"/>
        <rsc_location id="nowhere" rsc="vip" node="omega" score="-INFINITY"/><rsc_location id="by-rule" rsc="db-clone"><rule id="rule"
        role="Promoted" score="-INFINITY"><expression id="e" attribute="#uname" operation="ne" value="gamma"/></rule></rsc_location>
        </constraints>"##;
    let place = Place::new().with_cib(&WEB.replace("</constraints>", bans));
    let listed = |options: &str| {
        let said = place.sh(&format!("crm_mon -1 {options}")).out;
        said.lines().filter_map(|line| line.strip_prefix("  * ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (promoted, ban) = ("from running in Promoted role on", "from running on");
    let mine = [
        format!("rule\tprevents db-clone {promoted} beta"),
        format!("rule\tprevents db-clone {promoted} alpha"),
        format!("by-pattern\tprevents ping-clone {ban} alpha"),
        format!("by-set\tprevents smtp {ban} beta"),
        format!("by-set\tprevents vip {ban} beta"),
    ];
    assert_eq!(listed("--include=none,bans")[..5], mine);
    assert_eq!(listed("--include=none,bans:by-p"), mine[2..3]);
    assert_eq!(listed("--include=none,bans --resource=mail"), mine[3..4]);
}

#[test]
fn output_goes_to_devices_as_it_does_to_files() {
    let place = web();
    for (command, out) in [
        ("crm_mon -1 --output-to=/dev/null", ""),
        ("crm_error 0 --output-to=/dev/stderr 2>&1", "OK"),
        ("crm_node --version --output-as=xml | grep -c '<version program=\"Pacemaker\"'", "1\n"),
    ] {
        let outcome = place.sh(command);
        assert_eq!(outcome.code, 0, "{command}: {outcome:?}");
        assert!(
            outcome.out.starts_with(out) && (!out.is_empty() || outcome.out.is_empty()),
            "{command}: {outcome:?}"
        );
    }
}

#[test]
fn a_missing_parenthesis_is_shown_in_its_line() {
    let broken = "<cib>\n  <configuration>\n    <resources & >\n  </configuration>\n</cib>\n";
    let outcome = Place::new().with_cib(broken).sh("systole cib verify cib.xml");
    assert_eq!(outcome.code, 65);
    assert!(outcome.err.contains("cib.xml:3:"), "{}", outcome.err);
    assert!(outcome.err.contains(" 3 |     <resources & >"), "{}", outcome.err);
}

#[test]
fn json_says_what_text_says() {
    let outcome = web().sh("systole status --json");
    let value: serde_json::Value = serde_json::from_str(&outcome.out).expect("JSON");
    assert_eq!(value["summary"][0]["current_dc"][0]["name"], "alpha");
    assert_eq!(value["resources"][0]["bundle"][0]["id"], "proxy");
    assert_eq!(value["status"][0]["code"], 0);
    let refused = web().sh("crm_resource -r nope -W --json");
    let value: serde_json::Value = serde_json::from_str(&refused.out).expect("JSON");
    assert_eq!((refused.code, &value["status"][0]["code"]), (105, &serde_json::json!(105)));
}

#[test]
fn status_in_text() {
    let text = web().sh("systole status -f --bans").out;
    let masked = text.lines().filter(|line| !line.contains("Last updated")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(masked);
}

#[test]
fn status_with_details() {
    let text = web().sh("crm_mon -1rRAn --exclude=times").out;
    insta::assert_snapshot!(text);
}

#[test]
fn explanations() {
    let text = web().sh("systole explain vip; systole explain smtp; systole explain old").out;
    insta::assert_snapshot!(text);
}

#[test]
fn configuration_in_text() {
    insta::assert_snapshot!(web().sh("systole resource config").out);
}

#[test]
fn cluster_options_are_listed_with_what_they_take() {
    let place = web();
    let few = place.sh("crm_attribute --list-options");
    assert!(few.out.contains("  * no-quorum-policy: "), "{few:?}");
    assert!(
        few.out.contains("one of stop, freeze, ignore, demote, fence, suicide (default: stop)"),
        "{few:?}"
    );
    assert!(!few.out.contains("election-timeout"), "only for experts: {few:?}");
    let all = place.sh("crm_attribute --list-options=cluster --all");
    assert!(all.out.contains("  * election-timeout: "), "{all:?}");
    let xml = place.sh("crm_attribute --list-options=cluster --output-as=xml");
    let parameter = "<parameter name=\"have-watchdog\" advanced=\"0\" generated=\"1\">";
    assert!(xml.out.contains(parameter), "{xml:?}");
    assert_eq!(place.sh("crm_attribute --list-options=nodes").code, 64);
}

#[test]
fn a_section_that_may_not_be_seen_is_not_one_that_is_missing() {
    let option = "<nvpair id=\"acl-on\" name=\"enable-acl\" value=\"true\"/>";
    let role = "<acls><acl_role id=\"r\"><acl_permission id=\"p\" kind=\"read\" xpath=\"//crm_config\"/></acl_role>\
                <acl_target id=\"nobody\"><role id=\"r\"/></acl_target></acls>";
    let cib = format!(
        "<cib validate-with=\"pacemaker-4.0\" admin_epoch=\"0\" epoch=\"1\" num_updates=\"0\"><configuration><crm_config>\
         <cluster_property_set id=\"o\">{option}</cluster_property_set></crm_config><nodes/><resources/><constraints/>{role}\
         </configuration><status/></cib>"
    );
    let place = Place::new().with_cib(&cib);
    let create =
        "cibadmin -C -o resources -X '<primitive id=\"n\" class=\"ocf\" provider=\"p\" type=\"Dummy\"/>'";
    let outcome = place.sh(&format!("CIB_user=nobody {create}"));
    assert_eq!((outcome.code, outcome.out.as_str()), (4, ""), "{outcome:?}");
    let missing = place.sh("cibadmin -C -o tags -X '<tag id=\"t\"><obj_ref id=\"n\"/></tag>'");
    assert_eq!(missing.code, 70, "{missing:?}");
    assert!(missing.out.contains("Invalid argument"), "{missing:?}");
}

#[test]
fn who_has_the_file_open_sees_what_was_changed() {
    use std::io::Read as _;
    let place = web();
    let mut open = std::fs::File::open(place.cib()).expect("the CIB is there");
    assert_eq!(place.sh("crm_attribute -n batch-limit -v 77").code, 0);
    let mut text = String::new();
    open.read_to_string(&mut text).expect("it can be read");
    assert!(text.contains("77") && text.trim_end().ends_with("</cib>"), "{text}");
    let beside = std::fs::read_dir(&place.dir).expect("the place is there");
    assert_eq!(
        beside.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).count(),
        0
    );
}

#[test]
fn constraints_of_a_resource_are_listed_with_rules_that_hold_and_roles() {
    let cib = r##"<cib validate-with="pacemaker-3.9" admin_epoch="0" epoch="1" num_updates="0"><configuration><crm_config/>
        <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes><resources>
        <primitive id="a" class="ocf" provider="p" type="t"/>
        <clone id="c"><meta_attributes id="m"><nvpair id="m1" name="promotable" value="true"/></meta_attributes>
        <primitive id="b" class="ocf" provider="p" type="t"/></clone></resources><constraints>
        <rsc_location id="l1" rsc="a" node="n1" score="5"/>
        <rsc_location id="l2" rsc="a"><rule id="r2" score="-7"><expression id="e" attribute="#uname" operation="eq" value="n2"/>
        </rule></rsc_location><rsc_colocation id="k" rsc="a" with-rsc="c" with-rsc-role="Promoted" score="3"/>
        </constraints></configuration><status/></cib>"##;
    let place = Place::new().with_cib(cib);
    assert_eq!(
        place.sh("crm_resource -a -r a").out,
        "Locations:\n  * Node n2 (score=-7, id=r2, rsc=a)\n  * Node n1 (score=5, id=l1, rsc=a)\n\
         Resources a is colocated with:\n  * c (score=3, with role=Promoted, id=k)\n"
    );
    let xml = place.sh("crm_resource -A -r c --output-as=xml").out;
    assert!(xml.contains("score=\"3\" node-attribute=\"#uname\" with-rsc-role=\"Promoted\"/>"), "{xml}");
    assert!(place.sh("crm_resource -A -r c").out.contains("a (score=3, needs role=Promoted, id=k)"));
}

#[test]
fn a_cloned_group_is_promoted_where_a_member_is() {
    let state = |id: u8, operation: &str, rc: u8| {
        format!(
            r#"<node_state id="{id}" uname="n{id}" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="{id}"><lrm_resources>
            <lrm_resource id="r" class="ocf" provider="pacemaker" type="Stateful"><lrm_rsc_op id="r_last_0" operation_key="r_{operation}_0" operation="{operation}"
            call-id="5" rc-code="{rc}" op-status="0" interval="0" transition-key="1:1:{rc}:u" transition-magic="0:{rc};1:1:{rc}:u"/></lrm_resource>
            </lrm_resources></lrm></node_state>"#
        )
    };
    let cib = format!(
        r#"<cib validate-with="pacemaker-3.9" admin_epoch="0" epoch="1" num_updates="0" have-quorum="1"><configuration><crm_config>
        <cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
        <nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes><resources><clone id="c">
        <group id="g"><primitive id="r" class="ocf" provider="pacemaker" type="Stateful"/></group>
        <meta_attributes id="m"><nvpair id="m1" name="promotable" value="true"/></meta_attributes></clone></resources><constraints/>
        </configuration><status>{}{}</status></cib>"#,
        state(1, "promote", 0),
        state(2, "start", 0)
    );
    let place = Place::new().with_cib(&cib);
    assert_eq!(place.sh("crm_resource --move -r c -N n1 --promoted").code, 108);
    assert_eq!(place.sh("crm_resource --move -r c -N n2 --promoted").code, 0);
}
