//! When a change of the configuration is acknowledged.

use super::*;
use systole_wire::api::Reply;

fn view(bench: &mut Bench, number: u64, has_quorum: bool) {
    let members = vec![(1, "a".to_owned())];
    bench.tell(Event::View(View { number, own_id: 1, members, has_quorum }));
}

#[test]
fn a_change_is_in_doubt_where_quorum_was_lost_before_it_was_known_to_be_kept() {
    for keeps_quorum in [true, false] {
        let mut bench = Bench::start();
        bench.view(1);
        bench.set_option("x", "1");
        assert_eq!(bench.replies, [], "the disk has not answered");
        view(&mut bench, 2, keeps_quorum);
        let token = *bench.tokens.last().expect("the CIB is written");
        bench.tell(Event::Durable(token));
        match &bench.replies[..] {
            [Reply::Applied { .. }] => assert!(keeps_quorum),
            [Reply::Refused(refusal)] => assert!(!keeps_quorum, "{}", refusal.message),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_disk_that_fails_or_works_again_before_the_members_are_agreed_is_told_afterwards() {
    for works_again in [true, false] {
        let mut bench = Bench::start();
        bench.view(1);
        let last = |bench: &Bench| *bench.tokens.last().expect("the CIB is written");
        let fail = |bench: &mut Bench| {
            let (token, error) = (last(bench), "No space left on device".to_owned());
            bench.tell(Event::DiskFailed { token, error });
        };
        if works_again {
            fail(&mut bench);
        }
        // The hello is under way.
        let members = vec![(1, "a".to_owned())];
        let changed = Event::View(View { number: 2, own_id: 1, members, has_quorum: true });
        let effects = bench.machine.handle(bench.now, changed);
        let is_hello = |effect| if let Effect::Cast(payload) = effect { Some(payload) } else { None };
        let hello = effects.into_iter().find_map(is_hello).expect("it says hello");
        match works_again {
            true => bench.tell(Event::Durable(last(&bench))),
            false => fail(&mut bench),
        }
        bench.tell(Event::Delivered { from: 1, payload: hello });
        assert_eq!(bench.machine.can_keep().is_ok(), works_again);
    }
}

#[test]
fn a_disk_that_hangs_counts_as_one_that_does_not_work_until_it_answers() {
    let mut bench = Bench::start();
    bench.view(1);
    bench.disk_hangs = true;
    bench.wait(60);
    assert_eq!(bench.machine.can_keep(), Ok(()), "there is nothing to write");
    bench.set_option("x", "1");
    bench.wait(19);
    assert_eq!(bench.replies, []);
    bench.wait(2);
    let [Reply::Refused(refusal)] = &bench.replies[..] else { panic!("{:?}", bench.replies) };
    assert!(refusal.message.contains("a (the disk does not answer)"), "{}", refusal.message);
    let token = *bench.tokens.last().expect("the CIB is written");
    bench.tell(Event::Durable(token));
    assert_eq!(bench.machine.can_keep(), Ok(()));
}
