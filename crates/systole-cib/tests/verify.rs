//! One mistake at a time, and what is said about it.

use systole_cib::{Severity, verify::verify, xml::Document};

#[derive(Default)]
struct Parts<'p> {
    options: &'p str,
    /// Inside of primitive A.
    inside: &'p str,
    resources: &'p str,
    constraints: &'p str,
    sections: &'p str,
}

fn cib(validate_with: &str, parts: &Parts<'_>) -> Document {
    let Parts { options, inside, resources, constraints, sections } = parts;
    let text = format!(
        "<cib validate-with='{validate_with}' admin_epoch='0' epoch='1' num_updates='0'><configuration><crm_config><cluster_property_set id='o'>\
         <nvpair id='o1' name='fencing-enabled' value='false'/>{options}</cluster_property_set></crm_config>\
         <nodes><node id='1' uname='n1'/></nodes><resources><primitive id='A' class='ocf' provider='p' type='Dummy'>{inside}\
         </primitive>{resources}</resources><constraints>{constraints}</constraints>{sections}</configuration><status/></cib>"
    );
    Document::parse(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The one thing that is said about the parts; empty if they are fine, deprecated or not.
fn check(parts: &Parts<'_>, severity: Severity, message: &str) {
    let found = verify(&cib("pacemaker-3.9", parts));
    if message.is_empty() {
        assert!(found.iter().all(|d| d.severity == Severity::Deprecated), "{found:?}");
        return;
    }
    assert!(
        found.iter().any(|d| d.severity == severity && d.to_string().contains(message)),
        "{message:?} expected in {found:#?}"
    );
}

#[test]
fn cluster_options_have_values_they_can_have() {
    for (name, value, is_valid) in [
        ("no-quorum-policy", "foo", false),
        ("no-quorum-policy", "demote", true),
        ("maintenance-mode", "maybe", false),
        ("maintenance-mode", "yes", true),
        ("cluster-delay", "foo", false),
        ("crmd-transition-delay", "PT5S", true),
        ("batch-limit", "many", false),
        ("batch-limit", "-1", true),
        ("placement-strategy", "foo", false),
        ("node-health-strategy", "foo", false),
        ("node-health-red", "-INFINITY", true),
        ("load-threshold", "80", false),
        ("stonith-watchdog-timeout", "-1", true),
        ("stonith-timeout", "soon", false),
        ("stonith-action", "poweroff", true),
        ("fencing-action", "poweroff", false),
        ("an-option-of-mine", "foo", true),
    ] {
        let options = format!("<nvpair id='x' name='{name}' value='{value}'/>");
        let message = format!("using default value for cluster option '{name}' because '{value}' is invalid");
        check(
            &Parts { options: &options, ..Parts::default() },
            Severity::Error,
            if is_valid { "" } else { &message },
        );
    }
}

#[test]
fn what_newer_releases_have_written_is_told() {
    let text = cib("pacemaker-3.9", &Parts::default()).to_text();
    for (version, is_told) in [("99.0", true), ("3.20.5", false), ("3.9.6", false)] {
        let text = text.replacen("<cib ", &format!("<cib crm_feature_set=\"{version}\" "), 1);
        let found = verify(&Document::parse(&text).expect("a CIB"));
        assert_eq!(found.iter().any(|d| d.message.contains("feature set")), is_told, "{version}: {found:?}");
    }
    let policy =
        Parts { options: "<nvpair id='x' name='no-quorum-policy' value='suicide'/>", ..Parts::default() };
    check(&policy, Severity::Error, "because fencing is disabled");
}

#[test]
fn states_are_those_of_nodes() {
    let check = |states: &str| {
        let text = cib("pacemaker-3.9", &Parts::default()).to_text();
        let text = text.replace("<status/>", &format!("<status>{states}</status>"));
        let found = verify(&Document::parse(&text).expect("a CIB"));
        found.iter().filter(|d| d.to_string().contains("a node without an id")).count()
    };
    assert_eq!(check("<node_state uname='n1'/>"), 1);
    assert_eq!(check("<node_state id='1' uname='n1'/>"), 0);
}

#[test]
fn resources_can_be_run() {
    use Severity::{Advice, Error, Warning};
    let meta = |name: &str, value: &str| {
        format!("<meta_attributes id='m'><nvpair id='mn' name='{name}' value='{value}'/></meta_attributes>")
    };
    let op = |attributes: &str| format!("<operations><op id='o2' {attributes}/></operations>");
    for (inside, severity, message) in [
        (meta("target-role", "Foo"), Error, "ignoring 'target-role' because 'Foo' is not valid"),
        (meta("target-role", "Master"), Error, "'Master' only makes sense for promotable clones"),
        (meta("target-role", "Stopped"), Error, ""),
        (meta("requires", "foo"), Error, "'foo' is not one of nothing, quorum"),
        (meta("multiple-active", "foo"), Warning, "'foo' is not one of block"),
        (op("name='monitor' interval='foo'"), Advice, "\"foo\" is not a span of time"),
        (meta("migration-threshold", "-3"), Warning, "below zero"),
        (op("name='monitor' interval='10' on-fail='foo'"), Error, "unknown failure type (foo)"),
        (op("name='stop' interval='0' on-fail='stop'"), Error, "'stop' is not allowed for stop"),
        (op("name='stop' interval='0' on-fail='standby'"), Error, "'standby' is not allowed for stop"),
        (op("name='stop' interval='0' on-fail='block'"), Error, ""),
        (op("name='stop' interval='0' on-fail='fence'"), Advice, "while fencing is disabled"),
        (op("name='monitor' interval='10' on-fail='demote'"), Error, "not allowed for this monitor"),
        (op("name='monitor' interval='10' on-fail='demote' role='Promoted'"), Error, ""),
        (op("name='promote' interval='0' on-fail='demote'"), Error, ""),
        (op("name='monitor' interval='10' role='Foo'"), Error, "because Foo is not a valid role"),
        (op("name='start' interval='10'"), Error, "a start action cannot be recurring"),
        (op("interval='10'"), Error, "name is missing"),
        (
            "<operations><op id='a' name='monitor' interval='10'/><op id='b' name='monitor' interval='10s'/></operations>".into(),
            Error,
            "<op id=\"b\">: the operation is a duplicate of a",
        ),
        ("<meta_attributes id-ref='nope'/>".into(), Error, "id-ref refers to \"nope\", which does not exist"),
        ("<foo/>".into(), Error, "<foo> is not known in <primitive>"),
    ] {
        check(&Parts { inside: &inside, ..Parts::default() }, severity, message);
    }
    let inner = "<primitive id='B' class='lsb' type='x'/>";
    for (resources, severity, message) in [
        ("<group id='g'/>".to_owned(), Error, "needs a <primitive>"),
        ("<clone id='c'/>".to_owned(), Error, "needs a <primitive> or <group>"),
        (
            "<primitive id='B' template='nope'/>".to_owned(),
            Error,
            "template refers to \"nope\", which does not exist",
        ),
        ("<primitive id='B'/>".to_owned(), Error, "needs template, or class and type"),
        ("<primitive id='B' class='ocf' type='x'/>".to_owned(), Error, "provider is missing"),
        (
            "<primitive id='A' class='lsb' type='x'/>".to_owned(),
            Error,
            "the id is already that of a <primitive>",
        ),
        (
            format!("<bundle id='b'><podman image='i'/>{inner}</bundle>"),
            Error,
            "without either ip-range-start or control-port",
        ),
        (format!("<bundle id='b'>{inner}</bundle>"), Error, "needs a <docker> or <rkt> or <podman>"),
        ("<bundle id='b'><podman/></bundle>".to_owned(), Error, "image is missing"),
        (
            format!(
                "<bundle id='b'><podman image='i' replicas-per-host='2'/><network control-port='1'/>{inner}</bundle>"
            ),
            Error,
            "requires replicas-per-host=1",
        ),
        (
            format!("<clone id='c'>{}{inner}</clone>", meta("target-role", "Promoted")),
            Error,
            "only makes sense",
        ),
        (format!("<master id='c'>{}{inner}</master>", meta("target-role", "Promoted")), Error, ""),
    ] {
        check(&Parts { resources: &resources, ..Parts::default() }, severity, message);
    }
}

#[test]
fn constraints_are_about_something() {
    use Severity::Error;
    for (constraints, message) in [
        ("<rsc_location id='l' rsc='A' node='n1' score='5'/>", ""),
        (
            "<rsc_location id='l' rsc='nope' node='n1' score='5'/>",
            "rsc refers to \"nope\", which does not exist",
        ),
        ("<rsc_location id='l' rsc='A' node='n1' score='abc'/>", "score: \"abc\" is not a score"),
        ("<rsc_location id='l' rsc='A' node='n1'/>", "score is missing"),
        (
            "<rsc_location id='l' rsc='A' node='n1' score='5' role='Foo'/>",
            "role: \"Foo\" is not one of Stopped",
        ),
        (
            "<rsc_location id='l' rsc='A' node='n1' score='5' resource-discovery='foo'/>",
            "not one of always, never, exclusive",
        ),
        ("<rsc_location id='l' rsc='A'/>", "needs a <rule>, or score and node"),
        ("<rsc_location id='l' node='n1' score='5'/>", "needs rsc or rsc-pattern, or a <resource_set>"),
        ("<rsc_location id='l' rsc='A'><rule id='r' score='5'/></rsc_location>", "needs a <expression>"),
        (
            "<rsc_location id='l' rsc='A'><rule id='r'><expression id='e' attribute='x' operation='defined'/></rule></rsc_location>",
            "no score specified",
        ),
        (
            "<rsc_location id='l' rsc='A'><rule id='r' score='1'><expression id='e' attribute='x' operation='foo' value='1'/></rule></rsc_location>",
            "operation: \"foo\" is not one of lt",
        ),
        ("<rsc_colocation id='l' rsc='A' with-rsc='nope' score='5'/>", "with-rsc refers to \"nope\""),
        ("<rsc_colocation id='l' rsc='A' score='5'/>", "with-rsc is missing"),
        ("<rsc_order id='l' first='A' then='nope'/>", "then refers to \"nope\""),
        ("<rsc_order id='l' first='A' then='A' kind='foo'/>", "kind: \"foo\" is not one of Optional"),
        ("<rsc_order id='l' first='A' then='A' symmetrical='foo'/>", "is not true or false"),
        (
            "<rsc_order id='l'><resource_set id='s'><resource_ref id='nope'/></resource_set></rsc_order>",
            "id refers to \"nope\"",
        ),
        ("<rsc_ticket id='l' rsc='A' ticket='t' loss-policy='fence'/>", "because fencing is disabled"),
        ("<rsc_ticket id='l' rsc='A' ticket='t' loss-policy='foo'/>", "loss-policy: \"foo\" is not one of"),
        ("<rsc_magic id='l'/>", "<rsc_magic> is not known"),
    ] {
        check(&Parts { constraints, ..Parts::default() }, Error, message);
    }
    let order = |also: &str| format!("<rsc_order id='l' first='A' then='A' kind='Serialize'{also}/>");
    for (constraints, message) in [(order(" symmetrical='true'"), "ignoring 'symmetrical'"), (order(""), "")]
    {
        check(&Parts { constraints: &constraints, ..Parts::default() }, Severity::Warning, message);
    }
    for (sections, message) in [
        (
            "<fencing-topology><fencing-level id='f' index='0' target='n1' devices='d'/></fencing-topology>",
            "index: \"0\" is not a number from 1 to 9",
        ),
        (
            "<fencing-topology><fencing-level id='f' index='1' devices='d'/></fencing-topology>",
            "needs target or target-pattern, or target-attribute and target-value",
        ),
        ("<tags><tag id='t'><obj_ref id='not-there-yet'/></tag></tags>", ""),
    ] {
        check(&Parts { sections, ..Parts::default() }, Error, message);
    }
}

#[test]
fn fencing_needs_a_device() {
    let message = "no fencing resources have been defined";
    let text = cib("pacemaker-3.9", &Parts::default()).to_text();
    for (from, to, is_told) in [
        ("value=\"false\"", "value=\"true\"", true),
        ("name=\"fencing-enabled\" value=\"false\"", "name=\"other\" value=\"x\"", true),
        ("name=\"fencing-enabled\" value=\"false\"", "name=\"stonith-enabled\" value=\"no\"", false),
    ] {
        let without = Document::parse(text.replace(from, to)).expect("well formed");
        assert_eq!(verify(&without).iter().any(|d| d.message.contains(message)), is_told, "{to}");
        let device = to_device(&text.replace(from, to));
        assert!(!verify(&device).iter().any(|d| d.message.contains(message)), "with a device");
    }
}

fn to_device(text: &str) -> Document {
    let device = "<primitive id=\"F\" class=\"stonith\" type=\"fence_ipmilan\"/></resources>";
    Document::parse(text.replace("</resources>", device)).expect("well formed")
}

#[test]
fn an_unchecked_cib_is_told_to_be_one() {
    let found = verify(&cib("none", &Parts { inside: "<foo/>", ..Parts::default() }));
    let told: Vec<_> = found.iter().map(|d| (d.severity, d.element.name.as_str())).collect();
    assert_eq!(told, [(Severity::Warning, "cib"), (Severity::Warning, "foo")]);
}

#[test]
fn what_is_deprecated_is_told_and_no_error() {
    let option = |name: &str, value: &str| format!("<nvpair id='x' name='{name}' value='{value}'/>");
    let op = |attributes: &str, inside: &str| {
        format!("<operations><op id='p' name='monitor' {attributes}>{inside}</op></operations>")
    };
    let meta = |name: &str, value: &str| {
        format!("<meta_attributes id='m'><nvpair id='m1' name='{name}' value='{value}'/></meta_attributes>")
    };
    let rule = "<meta_attributes id='m'><rule id='r'><expression id='e' attribute='a' operation='defined'/></rule></meta_attributes>";
    for (options, inside, constraints, message) in [
        (option("stonith-timeout", "5s"), String::new(), "", "it is 'fencing-timeout' now"),
        (option("fencing-timeout", "5s"), String::new(), "", ""),
        (option("stop-orphan-actions", "false"), String::new(), "", "removed operations will be cancelled"),
        (option("concurrent-fencing", "false"), String::new(), "", "at the same time"),
        (option("concurrent-fencing", "true"), String::new(), "", ""),
        (String::new(), op("interval='5' role='Slave'", ""), "", "the role Slave"),
        (String::new(), op("interval='0' role='Slave'", ""), "", ""),
        (String::new(), op("interval='5'", rule), "", "rules about node attributes"),
        (String::new(), meta("migration-threshold", "#default"), "", "#default"),
        (String::new(), String::new(), "<rsc_order id='l' first='A' then='A' score='5'/>", "use kind"),
    ] {
        let parts = Parts { options: &options, inside: &inside, constraints, ..Parts::default() };
        let found = verify(&cib("pacemaker-3.9", &parts));
        assert!(found.iter().all(|d| d.severity == Severity::Deprecated), "{found:?}");
        assert_eq!(found.is_empty(), message.is_empty(), "{found:?}");
        assert!(message.is_empty() || found.iter().any(|d| d.message.contains(message)), "{found:?}");
    }
}

#[test]
fn meta_attributes_that_are_scores_are_scores() {
    for (name, value, is_valid) in [
        ("priority", "infinity", false),
        ("priority", "5x", true),
        ("resource-stickiness", "INFINITY", true),
        ("resource-stickiness", "much", false),
        ("migration-threshold", " 3", true),
        ("migration-threshold", "", false),
    ] {
        let inside = format!(
            "<meta_attributes id='m'><nvpair id='x' name='{name}' value='{value}'/></meta_attributes>"
        );
        let message = if is_valid { "" } else { "is not a score" };
        check(&Parts { inside: &inside, ..Parts::default() }, Severity::Warning, message);
    }
}

#[test]
fn a_guest_node_has_a_name() {
    let inside = "<meta_attributes id='m'><nvpair id='x' name='remote-node' value=''/></meta_attributes>";
    check(&Parts { inside, ..Parts::default() }, Severity::Error, "there is no guest node");
}

#[test]
fn tags_are_not_colocated_with_one_another() {
    let sections = "<tags><tag id='T'><obj_ref id='A'/></tag><tag id='U'><obj_ref id='A'/></tag></tags>";
    for (with, message) in [("U", "two templates or tags cannot be colocated"), ("B", "")] {
        let constraints = format!("<rsc_colocation id='c' rsc='T' with-rsc='{with}' score='5'/>");
        let resources = "<primitive id='B' class='ocf' provider='p' type='Dummy'/>";
        let parts = Parts { constraints: &constraints, resources, sections, ..Parts::default() };
        check(&parts, Severity::Error, message);
    }
}
