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
