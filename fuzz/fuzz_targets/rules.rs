//! The inside of a rule: whatever it says, it holds or does not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use systole_cib::model::{Cib, Constraint};
use systole_scheduler::schedule;
use systole_types::Timestamp;

fuzz_target!(|inside: &str| {
    let text = format!(
        "<cib validate-with='none' have-quorum='1'><configuration><crm_config><cluster_property_set id='o'>\
         <nvpair id='o1' name='fencing-enabled' value='false'/></cluster_property_set></crm_config><nodes><node id='1' uname='a'/>\
         </nodes><resources><primitive id='A' class='lsb' type='t'><meta_attributes id='m'><rule id='mr' score='1'>{inside}</rule>\
         <nvpair id='n' name='priority' value='5'/></meta_attributes></primitive></resources><constraints><rsc_location id='l' rsc='A'>\
         <rule id='r' score='1'>{inside}</rule></rsc_location></constraints></configuration><status><node_state id='1' uname='a' \
         in_ccm='true' crmd='online' join='member' expected='member'><transient_attributes id='1'><instance_attributes id='i'>\
         <nvpair id='i1' name='x' value='5'/></instance_attributes></transient_attributes></node_state></status></cib>"
    );
    let Ok((cib, _)) = Cib::parse(text.as_str()) else { return };
    let is_location = |constraint: &Constraint| matches!(constraint, Constraint::Location(_));
    assert!(cib.constraints.iter().all(is_location));
    for now in [0, 951_782_400, 1_700_000_000, i64::MAX / 4] {
        schedule(&cib, Timestamp(now));
    }
});
