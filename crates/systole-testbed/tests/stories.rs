//! What a cluster does when something happens, as scripts. See `systole_testbed::script` for the commands.

use systole_testbed::script;

#[track_caller]
fn check(fencing: bool, no_quorum_policy: &str, expected: &str) {
    let actual = script::play(fencing, no_quorum_policy, expected);
    assert_eq!(actual.trim(), expected.trim(), "\n--- what happened ---\n{actual}");
}

const UP: &str = "boot a b c\nsettle\n";

#[track_caller]
fn without_fencing(script: &str) {
    check(false, "stop", &format!("{UP}{}", script.trim_start()));
}

#[track_caller]
fn with_fencing(script: &str) {
    check(true, "stop", &format!("{UP}{}", script.trim_start()));
}

/// Neither is anything fenced, nor does it take quorum to act.
#[track_caller]
fn without_quorum(script: &str) {
    check(false, "ignore", &format!("{UP}{}", script.trim_start()));
}

#[test]
fn a_cluster_comes_up() {
    without_fencing(
        "
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a, runs r1
    c: members a b c, quorum, DC a, runs g0 g1
",
    );
}

#[test]
fn what_ran_on_a_lost_node_runs_elsewhere() {
    without_fencing(
        "
kill a
settle
show
    a: off
    b: members b c, quorum, DC b, runs r0
    c: members b c, quorum, DC b, runs g0 g1 r1
boot a
settle
show
    a: members a b c, quorum, DC b, runs g0 g1
    b: members a b c, quorum, DC b, runs r0
    c: members a b c, quorum, DC b, runs r1
",
    );
}

#[test]
fn a_restart_of_systoled_stops_nothing() {
    without_fencing(
        "
changes
    5
restart systoled a
wait 1
restart systoled b
settle
changes
    0
crash r0
settle
changes
    1
",
    );
}

#[test]
fn a_restart_of_the_executor_stops_nothing_and_monitors_go_on() {
    without_fencing(
        "
changes
    5
restart execd a
restart execd b
restart execd c
settle
changes
    0
crash r0
settle
changes
    1
",
    );
}

#[test]
fn with_fencing_nothing_is_recovered_before_the_lost_node_is_known_to_be_off() {
    with_fencing(
        "
kill a
wait 60
show
    a: off
    b: members b c, quorum, DC b
    c: members b c, quorum, DC b, runs g0 g1
confirm a
    done
settle
show
    a: off
    b: members b c, quorum, DC b, runs r0
    c: members b c, quorum, DC b, runs g0 g1 r1
",
    );
}

#[test]
fn a_member_is_not_off() {
    with_fencing(
        "
confirm a
    refused: a is a member of the cluster: it is not off
",
    );
}

#[test]
fn a_partition_without_quorum_stops_its_resources_and_refuses_changes() {
    without_fencing(
        "
cut a
settle
show
    a: members a, no quorum, DC a
    b: members b c, quorum, DC b, runs r0
    c: members b c, quorum, DC b, runs g0 g1 r1
write a x
    refused: this partition has no quorum: the change is refused unless it is forced
force a y
    applied
write b z
    applied
heal
settle
show
    a: members a b c, quorum, DC a, runs g0 g1
    b: members a b c, quorum, DC a, runs r0
    c: members a b c, quorum, DC a, runs r1
has a y
    no
has a z
    yes
",
    );
}

#[test]
fn a_failed_start_sends_the_resource_elsewhere() {
    without_fencing(
        "
fail r0 a
crash r0
settle
show
    a: members a b c, quorum, DC a, runs r1
    b: members a b c, quorum, DC a, runs r0
    c: members a b c, quorum, DC a, runs g0 g1
",
    );
}

#[test]
fn a_node_leaves_in_good_order() {
    without_fencing(
        "
stop a
    done
settle
show
    a: systoled is down
    b: members b c, quorum, DC b, runs r0
    c: members b c, quorum, DC b, runs g0 g1 r1
",
    );
}

#[test]
fn a_node_leaves_although_the_partition_it_asked_in_lost_against_another() {
    without_fencing(
        "
cut c
begin stop c
wait 1
heal
settle
show
    a: members a b, quorum, DC a, runs g0 g1 r0
    b: members a b, quorum, DC a, runs r1
    c: systoled is down
",
    );
}

#[test]
fn a_node_leaves_although_it_was_asked_when_it_had_just_joined() {
    check(
        false,
        "stop",
        "
boot a
join a
stop a
    done
show
    a: systoled is down
    b: off
    c: off
",
    );
}

#[test]
fn one_full_disk_of_three_does_not_stand_in_the_way() {
    without_fencing(
        "
fill a
write b x
    applied
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a, runs r1
    c: members a b c, quorum, DC a, runs g0 g1
",
    );
}

#[test]
fn two_full_disks_of_three_refuse_changes_while_resources_go_on() {
    without_fencing(
        "
fill a
fill b
write c x
    refused: the change is in force, but may be lost when nodes restart: the CIB cannot be written to disk on a (No space left on device), b (No space left on device): free space there and try again
write c y
    refused: the CIB cannot be written to disk on a (No space left on device), b (No space left on device): free space there and try again
crash r0
settle
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a, runs r1
    c: members a b c, quorum, DC a, runs g0 g1
empty a
empty b
wait 20
write c z
    applied
",
    );
}

#[test]
fn a_restart_of_every_daemon_at_once_stops_nothing() {
    without_fencing(
        "
changes
    5
restart systoled a
restart systoled b
restart systoled c
restart execd b
settle
changes
    0
crash g1
settle
changes
    1
",
    );
}

#[test]
fn a_majority_that_is_back_from_a_restart_waits_for_the_third() {
    without_fencing(
        "
changes
    5
restart systoled a 1500
restart systoled b
restart systoled c
settle
changes
    0
",
    );
}

#[test]
fn a_restart_of_every_daemon_at_once_stops_nothing_though_an_executor_is_long_in_coming() {
    without_fencing(
        "
changes
    5
restart execd b 40000
restart systoled a
restart systoled b
restart systoled c
settle
changes
    0
",
    );
}

#[test]
fn a_start_that_waits_for_an_executor_is_thought_over_when_another_node_joins() {
    without_fencing(
        "
changes
    5
restart systoled c 4000
wait 1
restart execd a 4000
settle
changes
    0
",
    );
}

#[test]
fn what_runs_on_a_member_without_executor_is_not_started_elsewhere() {
    for fencing in [false, true] {
        check(
            fencing,
            "stop",
            &format!(
                "{UP}\
changes
    5
restart execd b 40000
wait 30
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a, runs r1
    c: members a b c, quorum, DC a, runs g0 g1
crash r0
wait 30
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a, runs r1
    c: members a b c, quorum, DC a, runs g0 g1
settle
crash r1
settle
changes
    2
"
            ),
        );
    }
}

#[test]
fn nor_if_its_history_is_forgotten_meanwhile() {
    for fencing in [false, true] {
        check(
            fencing,
            "stop",
            &format!(
                "{UP}\
changes
    5
restart execd b 40000
wait 15
refresh b
    done
wait 15
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a, runs r1
    c: members a b c, quorum, DC a, runs g0 g1
settle
changes
    0
crash r1
settle
changes
    1
"
            ),
        );
    }
}

#[test]
fn a_member_that_left_in_good_order_and_is_back_without_executor_holds_nothing_up() {
    without_fencing(
        "
stop b
    done
settle
restart execd b 90000
restart systoled b
wait 30
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a
    c: members a b c, quorum, DC a, runs g0 g1 r1
crash r0
wait 30
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a
    c: members a b c, quorum, DC a, runs g0 g1 r1
",
    );
}

#[test]
fn a_member_that_was_booted_since_runs_nothing_and_holds_nothing_up_though_its_executor_is_away() {
    with_fencing(
        "
kill b
wait 20
boot b execd 90000
wait 30
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a
    c: members a b c, quorum, DC a, runs g0 g1 r1
crash r0
wait 30
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a
    c: members a b c, quorum, DC a, runs g0 g1 r1
",
    );
}

#[test]
fn a_member_that_was_booted_since_can_leave_though_its_executor_is_away() {
    for fencing in [false, true] {
        check(
            fencing,
            "stop",
            &format!(
                "{UP}\
kill b
wait 20
boot b execd 90000
wait 30
stop b
    done
show
    a: members a c, quorum, DC a, runs r0
    b: systoled is down
    c: members a c, quorum, DC a, runs g0 g1 r1
"
            ),
        );
    }
}

#[test]
fn the_dc_leaves_though_a_member_without_executor_cannot() {
    without_fencing(
        "
restart execd b 200000
wait 15
begin stop b
wait 5
stop a
    done
wait 10
show
    a: systoled is down
    b: members b c, quorum, DC b, runs r1
    c: members b c, quorum, DC b, runs g0 g1 r0
",
    );
}

#[test]
fn what_a_node_in_maintenance_has_left_with_is_not_started_elsewhere_and_goes_on_when_it_is_back() {
    for fencing in [false, true] {
        check(
            fencing,
            "stop",
            &format!(
                "{UP}\
changes
    5
set b a maintenance true
    done
stop a
    done
wait 60
value b a shutdown
    none
forget b a
    refused: a has left with what it runs: switch it off and confirm that it is off first (stonith_admin --confirm)
show
    a: systoled is down, runs r0
    b: members b c, quorum, DC b, runs r1
    c: members b c, quorum, DC b, runs g0 g1
stop b
    done
settle
show
    a: systoled is down, runs r0
    b: systoled is down
    c: members c, no quorum, DC c
restart systoled b
restart systoled a
settle
value b a maintenance
    none
show
    a: members a b c, quorum, DC c, runs r0
    b: members a b c, quorum, DC c, runs r1
    c: members a b c, quorum, DC c, runs g0 g1
"
            ),
        );
    }
}

#[test]
fn what_a_node_in_maintenance_has_left_with_is_recovered_when_it_is_confirmed_to_be_off_or_booted() {
    let confirmed = "\
confirm a
    done
settle
show
    a: off
    b: members b c, quorum, DC b, runs r0
    c: members b c, quorum, DC b, runs g0 g1 r1
";
    let booted = "\
boot a
settle
show
    a: members a b c, quorum, DC b, runs r0
    b: members a b c, quorum, DC b, runs r1
    c: members a b c, quorum, DC b, runs g0 g1
";
    for then in [confirmed, booted] {
        with_fencing(&format!(
            "\
set b a maintenance true
    done
stop a
    done
wait 60
kill a
wait 60
show
    a: off
    b: members b c, quorum, DC b, runs r1
    c: members b c, quorum, DC b, runs g0 g1
{then}"
        ));
    }
}

#[test]
fn what_was_left_alone_for_want_of_an_executor_elsewhere_is_known_to_run_where_it_was_left() {
    without_quorum(
        "
cut a
settle
restart execd b 300000
heal
wait 30
show
    a: members a b c, quorum, DC a, runs g0 g1 r0
    b: members a b c, quorum, DC a, runs r0
    c: members a b c, quorum, DC a, runs r1
stop a
    done
kill b
wait 60
show
    a: systoled is down, runs r0
    b: off
    c: members c, no quorum, DC c, runs g0 g1 r1
",
    );
}

#[test]
fn a_lost_node_is_not_forgotten_before_it_is_known_to_be_off() {
    with_fencing(
        "
kill a
wait 1
forget b a
    refused: a was a member until just now: try again
wait 59
forget b a
    refused: a is lost, and what ran there may still run: switch it off and confirm that it is off first (stonith_admin --confirm)
show
    a: off
    b: members b c, quorum, DC b
    c: members b c, quorum, DC b, runs g0 g1
confirm a
    done
forget b a
    done
settle
show
    a: off
    b: members b c, quorum, DC b, runs r0
    c: members b c, quorum, DC b, runs g0 g1 r1
",
    );
}

#[test]
fn without_fencing_a_lost_node_is_forgotten_but_not_without_quorum() {
    without_fencing(
        "
kill a
settle
forget b a
    done
forget b c
    refused: c is a member of the cluster: stop it first
cut c
settle
forget c a
    refused: this partition has no quorum: the change is refused unless it is forced
",
    );
}

#[test]
fn a_daemon_that_hangs_is_out_after_five_seconds_and_takes_part_again_when_it_goes_on() {
    with_fencing(
        "
hang a 30
wait 4
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a, runs r1
    c: members a b c, quorum, DC a, runs g0 g1
wait 2
show
    a: members , no quorum, DC a, runs r0
    b: members b c, quorum, DC b, runs r1
    c: members b c, quorum, DC b, runs g0 g1
wait 30
settle
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a, runs r1
    c: members a b c, quorum, DC a, runs g0 g1
",
    );
}

#[test]
fn a_dc_that_thinks_is_not_thrown_out_within_fifteen_seconds() {
    with_fencing(
        "
changes
    5
think a 14
wait 20
settle
changes
    0
show
    a: members a b c, quorum, DC a, runs r0
    b: members a b c, quorum, DC a, runs r1
    c: members a b c, quorum, DC a, runs g0 g1
think a 20
wait 18
show
    a: members , no quorum, DC a, runs r0
    b: members b c, quorum, DC b
    c: members b c, quorum, DC b, runs g0 g1
",
    );
}

#[test]
fn what_a_partition_has_started_is_waited_for_when_its_executor_is_away_as_they_join() {
    without_quorum(
        "
cut a
settle
restart execd a 40000
heal
wait 1
kill c
wait 25
show
    a: members a b, quorum, DC a, runs g0 g1 r0 r1
    b: members a b, quorum, DC a, runs r0
    c: off
settle
show
    a: members a b, quorum, DC a, runs g0 g1 r0
    b: members a b, quorum, DC a, runs r1
    c: off
",
    );
}

#[test]
fn what_a_tool_has_set_of_its_own_node_outlives_the_partition_that_loses() {
    without_fencing(
        "
cut a
settle
set a a one 5
    done
set b c one 6
    done
heal
settle
value b a one
    5
value a c one
    6
kill c
settle
value a c one
    none
",
    );
}

#[test]
fn nor_is_it_lost_when_the_others_come_back_from_disk_meanwhile() {
    without_fencing(
        "
set a a one 5
    done
restart systoled c
settle
cut a
settle
kill b
kill c
boot b c
settle
heal
settle
value b a one
    5
",
    );
}
