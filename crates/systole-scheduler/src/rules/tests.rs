//! Rules and attribute sets, held against the words of Pacemaker Explained.

use super::*;
use std::sync::Arc;
use systole_cib::model::{DateCondition, NvPair};
use systole_types::Score;

fn attribute(name: &str, comparison: Comparison, value: Option<&str>) -> Condition {
    Condition::Attribute(AttributeCondition {
        attribute: name.into(),
        comparison,
        value: value.map(Into::into),
        value_source: ValueSource::Literal,
        kind: None,
    })
}

fn rule(combine: BooleanOp, conditions: Vec<Condition>) -> Rule {
    Rule { id: "rule".into(), combine, role: None, score: None, conditions }
}

fn table(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value))).collect()
}

fn set(id: &str, score: i64, pairs: &[(&str, &str)]) -> AttributeSet {
    let pair = |(name, value): &(&str, &str)| NvPair {
        id: None,
        name: (*name).into(),
        value: Some((*value).into()),
    };
    AttributeSet {
        id: id.into(),
        score: Score::finite(score),
        rule: None,
        pairs: pairs.iter().map(pair).collect(),
    }
}

#[test]
fn a_rule_changes_with_the_dates_that_decide_it() {
    let hours = |range: &str| Condition::Date(DateCondition::Spec(vec![("hours".into(), range.into())]));
    let before = |end: &str| Condition::Date(DateCondition::Before { end: end.into() });
    let never = attribute("b", Comparison::Defined, None);
    let noon = parse_date_time("2024-03-06 12:00Z", Timestamp(0), 0).expect("a date");
    for (combine, conditions, expected) in [
        (BooleanOp::And, vec![hours("8-17")], Some("2024-03-06 18:00:00Z")),
        (BooleanOp::And, vec![hours("20-")], Some("2024-03-06 20:00:00Z")),
        (BooleanOp::And, vec![hours("8-17"), before("2024-03-06 12:30Z")], Some("2024-03-06 12:30:00Z")),
        (BooleanOp::Or, vec![before("2024-03-05"), hours("20-")], Some("2024-03-06 20:00:00Z")),
        (BooleanOp::And, vec![never.clone(), hours("8-17")], None),
        (BooleanOp::And, vec![before("2024-03-05")], None),
        (BooleanOp::And, vec![never], None),
    ] {
        let rule = rule(combine, conditions);
        let next = next_change(&rule, &Input::at(noon)).map(|at| Civil::at(at, 0).text());
        assert_eq!(next.as_deref(), expected, "{rule:?}");
    }
}

#[test]
fn conditions_are_combined_as_boolean_op_says() {
    let (yes, no) = (attribute("a", Comparison::Defined, None), attribute("b", Comparison::Defined, None));
    let nested = Condition::Rule(rule(BooleanOp::Or, vec![no.clone(), yes.clone()]));
    let node = table(&[("a", "1")]);
    let input = Input { node: Some(&node), ..Input::at(Timestamp(0)) };
    for (combine, conditions, expected) in [
        (BooleanOp::And, vec![], true),
        (BooleanOp::Or, vec![], true),
        (BooleanOp::And, vec![yes.clone(), yes.clone()], true),
        (BooleanOp::And, vec![yes.clone(), no.clone()], false),
        (BooleanOp::Or, vec![no.clone(), yes.clone()], true),
        (BooleanOp::Or, vec![no.clone(), no.clone()], false),
        (BooleanOp::And, vec![yes.clone(), nested], true),
        (BooleanOp::And, vec![yes, Condition::Invalid], false),
    ] {
        let rule = rule(combine, conditions);
        assert_eq!(holds(&rule, &input, &Recheck::default()), expected, "{rule:?}");
    }
}

#[test]
fn the_value_may_come_from_the_resource() {
    let (node, parameters, meta) =
        (table(&[("disk", "sda")]), table(&[("want", "sda")]), table(&[("want", "sdb")]));
    let input = Input {
        node: Some(&node),
        parameters: Some(&parameters),
        meta: Some(&meta),
        captures: &["web-disk", "disk"],
        ..Input::at(Timestamp(0))
    };
    for (name, source, value, expected) in [
        ("disk", ValueSource::Literal, "sda", true),
        ("disk", ValueSource::Parameter, "want", true),
        ("disk", ValueSource::Meta, "want", false),
        ("%1", ValueSource::Literal, "sda", true),
        ("%2disk", ValueSource::Literal, "sda", true),
        ("%0", ValueSource::Literal, "sda", false),
    ] {
        let condition = AttributeCondition {
            attribute: name.into(),
            comparison: Comparison::Equal,
            value: Some(value.into()),
            value_source: source,
            kind: None,
        };
        let rule = rule(BooleanOp::And, vec![Condition::Attribute(condition)]);
        assert_eq!(holds(&rule, &input, &Recheck::default()), expected, "{rule:?}");
    }
}

#[test]
fn a_value_is_given_exactly_where_one_is_compared_with() {
    let node = table(&[("a", "1")]);
    let input = Input { node: Some(&node), ..Input::at(Timestamp(0)) };
    for (comparison, value) in [(Comparison::Defined, Some("1")), (Comparison::NotEqual, None)] {
        assert!(!holds(
            &rule(BooleanOp::And, vec![attribute("a", comparison, value)]),
            &input,
            &Recheck::default()
        ));
    }
}

#[test]
fn agents_and_operations_are_compared_by_what_is_given() {
    let agent = Agent { class: "ocf".into(), provider: Some("heartbeat".into()), kind: "IPaddr2".into() };
    let resource = |class: Option<&str>, provider: Option<&str>, kind: Option<&str>| Condition::Resource {
        class: class.map(Into::into),
        provider: provider.map(Into::into),
        kind: kind.map(Into::into),
    };
    let operation = |name: &str, interval: Option<&str>| Condition::Operation {
        name: name.into(),
        interval: interval.map(Into::into),
    };
    let input = Input {
        agent: Some(&agent),
        operation: Some(("monitor", Duration::from_secs(10))),
        ..Input::at(Timestamp(0))
    };
    for (condition, expected) in [
        (resource(None, None, None), true),
        (resource(Some("ocf"), None, Some("IPaddr2")), true),
        (resource(Some("ocf"), Some("pacemaker"), None), false),
        (operation("monitor", None), true),
        (operation("monitor", Some("10s")), true),
        (operation("monitor", Some("10000ms")), true),
        (operation("monitor", Some("0")), false),
        (operation("start", None), false),
    ] {
        let rule = rule(BooleanOp::And, vec![condition]);
        assert_eq!(holds(&rule, &input, &Recheck::default()), expected, "{rule:?}");
    }
}

#[test]
fn the_earliest_change_among_the_conditions_looked_at_is_kept() {
    let until = |end: &str| Condition::Date(DateCondition::Before { end: end.into() });
    let recheck = Recheck::default();
    let conditions =
        vec![until("1970-01-03"), until("1970-01-02"), Condition::Invalid, until("1970-01-01 12:00:00Z")];
    assert!(!holds(&rule(BooleanOp::And, conditions), &Input::at(Timestamp(0)), &recheck));
    assert_eq!(recheck.earliest(), Some(Timestamp(86_400)));
}

#[test]
fn of_several_sets_the_one_of_the_highest_score_counts_of_equal_ones_the_last() {
    let mut ruled_out = set("ruled-out", 100, &[("a", "never")]);
    ruled_out.rule = Some(rule(BooleanOp::And, vec![Condition::Invalid]));
    let sets = [
        ruled_out,
        set("low", 1, &[("a", "low"), ("b", "low"), ("b", "twice")]),
        set("same", 5, &[("a", "earlier in the document"), ("c", "same")]),
        set("high", 5, &[("a", "high")]),
        set("cib-bootstrap-options", 0, &[("c", "bootstrap"), ("d", "bootstrap")]),
    ];
    let check = |first, how, expected: &[(&str, &str)]| {
        let mut into = table(&[("d", "before")]);
        merge(&sets, first, &Input::at(Timestamp(0)), how, &mut into, &Recheck::default());
        assert_eq!(into, table(expected));
    };
    check(None, Merge::KeepFirst, &[("a", "high"), ("b", "low"), ("c", "same"), ("d", "before")]);
    check(
        Some("cib-bootstrap-options"),
        Merge::KeepFirst,
        &[("a", "high"), ("b", "low"), ("c", "bootstrap"), ("d", "before")],
    );
}

#[test]
fn the_value_default_takes_a_value_back() {
    let sets = [
        set("high", 5, &[("a", "high")]),
        set("low", 0, &[("a", "#default")]),
        set("lower", -1, &[("a", "again")]),
    ];
    let mut into = Attributes::new();
    merge(&sets[..2], None, &Input::at(Timestamp(0)), Merge::KeepFirst, &mut into, &Recheck::default());
    assert_eq!(into, table(&[]));
    merge(&sets, None, &Input::at(Timestamp(0)), Merge::KeepFirst, &mut into, &Recheck::default());
    assert_eq!(into, table(&[("a", "again")]));
}
