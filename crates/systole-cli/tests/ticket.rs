//! `crm_ticket` on a CIB in a file.

mod support;

use support::Place;

const CIB: &str = r#"<cib crm_feature_set="3.20.2" validate-with="pacemaker-4.0" admin_epoch="0" epoch="5" num_updates="0">
  <configuration>
    <crm_config/>
    <nodes/>
    <resources>
      <primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>
    </resources>
    <constraints>
      <rsc_ticket id="c1" rsc="r" ticket="tA" loss-policy="stop"/>
      <rsc_ticket id="c2" rsc="r" ticket="tC" loss-policy="stop"/>
    </constraints>
  </configuration>
  <status>
    <tickets>
      <ticket_state id="tA" granted="true" last-granted="1600000000" standby="false"/>
      <ticket_state id="tB" granted="false" standby="true" owner="1"/>
    </tickets>
  </status>
</cib>
"#;

#[test]
fn queries_print_what_scripts_read() {
    let place = Place::new().with_cib(CIB);
    for (command, code, out) in [
        ("-w", 0, "tA\ntC\ntB\n"),
        (
            "-l",
            0,
            "tA\tgranted last-granted=\"Sun Sep 13 12:26:40 2020\"\ntC\trevoked\ntB\trevoked [standby]\n",
        ),
        ("-L -t tB", 0, "tB\trevoked [standby]\t(granted=false, standby=true, owner=1)\n"),
        ("-G granted -t tA", 0, "true\n"),
        ("-G owner -t tA -d nobody", 0, "nobody\n"),
        ("-G owner -t tA", 105, ""),
        ("-G granted", 105, ""),
        ("-l -t nope", 105, ""),
        ("-q -t nope", 105, ""),
        ("-c -t tB", 105, ""),
        (
            "-q -t tB",
            0,
            "State XML:\n\n<ticket_state id=\"tB\" granted=\"false\" standby=\"true\" owner=\"1\"/>\n",
        ),
        (
            "-c -t tC",
            0,
            "Constraints XML:\n\n<rsc_ticket id=\"c2\" rsc=\"r\" ticket=\"tC\" loss-policy=\"stop\"/>\n",
        ),
        ("-t tA", 64, ""),
        ("-g", 64, ""),
        ("-t tA -S foo", 64, ""),
        ("-t tA -v foo", 64, ""),
    ] {
        let outcome = place.sh(&format!("crm_ticket {command}"));
        assert_eq!((outcome.code, outcome.out.as_str()), (code, out), "{command}: {outcome:?}");
    }
    assert_eq!(place.cib_text(), CIB, "queries change nothing");
}

#[test]
fn what_may_stop_or_fence_something_wants_force() {
    for command in ["-g -t tB", "-r -t tA", "-D granted -t tA", "-S granted -v true -t tC"] {
        let place = Place::new().with_cib(CIB);
        let outcome = place.sh(&format!("crm_ticket {command}"));
        assert_eq!(outcome.code, 107, "{command}: {outcome:?}");
        assert!(outcome.err.contains("--force"), "{command}: {outcome:?}");
        assert_eq!(place.cib_text(), CIB, "{command} changed the CIB");
        assert_eq!(place.sh(&format!("crm_ticket {command} --force")).code, 0, "{command}");
        assert_ne!(place.cib_text(), CIB, "{command} --force changes the CIB");
    }
}

#[test]
fn changes_are_made_at_once() {
    for (command, state) in [
        ("-s -t tA", "id=\"tA\" granted=\"true\" last-granted=\"1600000000\" standby=\"true\""),
        ("-a -D owner -t tB", "id=\"tB\" granted=\"false\" standby=\"true\"/"),
        ("-S a -v 1 -S b -v 2 -t tC", "id=\"tC\" a=\"1\" b=\"2\"/"),
        ("-g -r -f -t tB", "id=\"tB\" granted=\"false\" standby=\"true\" owner=\"1\"/"),
        ("-s -t tC", "id=\"tC\" standby=\"true\"/"),
        ("-r -f -t tA", "id=\"tA\" granted=\"false\" last-granted=\"1600000000\""),
        ("-S owner -v 2 -t tB", "owner=\"2\""),
        ("-g -f -t tB", "id=\"tB\" granted=\"true\" standby=\"true\" owner=\"1\" last-granted=\""),
    ] {
        let place = Place::new().with_cib(CIB);
        let outcome = place.sh(&format!("crm_ticket {command}"));
        assert_eq!((outcome.code, outcome.out.as_str()), (0, ""), "{command}: {outcome:?}");
        let text = place.cib_text();
        assert!(
            text.contains(&format!("<ticket_state {state}")) || text.contains(state),
            "{command}: {text}"
        );
    }
}

#[test]
fn a_granted_ticket_is_not_forgotten_by_mistake() {
    let place = Place::new().with_cib(CIB);
    assert_eq!(place.sh("crm_ticket -C -t tA").code, 4);
    assert_eq!(place.sh("crm_ticket -C -t tB").out, "Cleaned up tB\n");
    assert_eq!(place.sh("crm_ticket -C -t tA -f").out, "Cleaned up tA\n");
    assert!(!place.cib_text().contains("ticket_state"));
    assert_eq!(place.sh("crm_ticket -C -t tA").code, 105);
}
