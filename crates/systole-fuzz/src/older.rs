//! Differences that an incumbent older than the reference release is known to have: named by rule, counted apart.

use crate::judge::{Difference, Level};

/// Why an incumbent before 3.0 is known to answer differently; `None` if it is not.
pub fn known(difference: &Difference) -> Option<&'static str> {
    let kind = &*difference.kind;
    match difference.level {
        Level::L3 if kind.contains("of stonith") => Some("fencing attributes"),
        Level::L3 if kind.contains("notify") => Some("notify lists"),
        Level::L3h if kind.starts_with("stonith-") || kind.starts_with("fencing-") => Some("option names"),
        _ => None,
    }
}
