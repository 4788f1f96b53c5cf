//! The examples in `docs/api.md` are messages.

#![allow(missing_docs, reason = "a test")]

use systole_wire::{api, decode, exec, hub};

#[test]
fn every_example_in_the_documentation_is_a_message() {
    let text = include_str!("../../../docs/api.md");
    let mut n_examples = 0;
    for block in text.split("```json ").skip(1) {
        let (kind, rest) = block.split_once('\n').expect("a block has lines");
        for line in rest.split("```").next().expect("a block has an end").lines() {
            let problem = match kind {
                "request" => decode::<api::Request>(line.as_bytes()).err(),
                "response" => decode::<api::Response>(line.as_bytes()).err(),
                "to-executor" => decode::<exec::ToExecutor>(line.as_bytes()).err(),
                "from-executor" => decode::<exec::FromExecutor>(line.as_bytes()).err(),
                "to-hub" => decode::<hub::ToHub>(line.as_bytes()).err(),
                "from-hub" => decode::<hub::FromHub>(line.as_bytes()).err(),
                other => panic!("what is {other:?}?"),
            };
            assert!(problem.is_none(), "{line}\n{:?}", problem.map(|error| error.source));
            n_examples += 1;
        }
    }
    assert!(n_examples > 20);
}
