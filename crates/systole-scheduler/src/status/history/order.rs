//! Which of two history entries is the newer one.

use std::cmp::Ordering;
use systole_cib::model::HistoryEntry;

/// Compares by call number on the same node, else by when the result came; entries without result yet by the transition
/// that asked for them. This is no total order: entries that cannot be compared count as equal.
pub(in crate::status) fn is_newer(a: &HistoryEntry, b: &HistoryEntry) -> Ordering {
    let same_node = match (&a.by.on_node, &b.by.on_node) {
        (Some(a), Some(b)) => a == b || a.as_str().eq_ignore_ascii_case(b.as_str()),
        (None, None) => true,
        _ => false,
    };
    if (same_node && a.op.id == b.op.id) || (a.call() == -1 && b.call() == -1) {
        return Ordering::Equal;
    }
    if same_node && ((a.call() >= 0 && a.call() < b.call()) || (b.call() >= 0 && a.call() > b.call())) {
        return a.call().cmp(&b.call());
    }
    if a.call() >= 0 && b.call() >= 0 {
        return by_time(a, b);
    }
    by_transition(a, b)
}

fn by_time(a: &HistoryEntry, b: &HistoryEntry) -> Ordering {
    let at = |entry: &HistoryEntry| entry.last_rc_change.map_or(-1, |at| at.0);
    let (a, b) = (at(a), at(b));
    if (a >= 0 && a < b) || (b >= 0 && a > b) { a.cmp(&b) } else { Ordering::Equal }
}

/// One of the two has no result yet. Transition −1 is a shutdown, which comes last.
fn by_transition(a: &HistoryEntry, b: &HistoryEntry) -> Ordering {
    let (Some(magic_a), Some(magic_b), true) = (&a.magic, &b.magic, a.is_magic_written && b.is_magic_written)
    else {
        return Ordering::Equal;
    };
    let (id_a, id_b) = (magic_a.key.transition, magic_b.key.transition);
    let same_dc = magic_a.key.uuid.eq_ignore_ascii_case(&magic_b.key.uuid);
    if !same_dc || id_a == id_b {
        // Operations without result do not outlive the DC that asked for them, so they are the newer ones.
        if b.call() == -1 { Ordering::Less } else { Ordering::Greater }
    } else if (id_a >= 0 && id_a < id_b) || id_b == -1 {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

/// Entries from the oldest to the newest. Of entries that cannot be compared the later one in the document comes first.
///
/// The comparison is no total order, so the result depends on how it is sorted: by merging halves, as the reference does.
pub(crate) fn in_order(entries: &[HistoryEntry]) -> Vec<&HistoryEntry> {
    let mut ordered = Vec::new();
    put_in_order(entries, &mut ordered);
    ordered
}

/// As [`in_order`], into a list whose memory is used again: most histories have one entry.
pub(in crate::status) fn put_in_order<'a>(entries: &'a [HistoryEntry], ordered: &mut Vec<&'a HistoryEntry>) {
    ordered.clear();
    ordered.extend(entries.iter().rev());
    match ordered.as_mut_slice() {
        [] | [_] => {}
        [a, b] if is_newer(a, b).is_gt() => ordered.swap(0, 1),
        [_, _] => {}
        _ if have_calls_of_one_node(entries) => ordered.sort_by_key(|entry| entry.call()),
        _ => *ordered = merge_sort(std::mem::take(ordered)),
    }
}

/// Whether all entries can be compared by their call numbers: results of one node, of different calls and operations. That
/// is a total order, and nearly every history is so.
fn have_calls_of_one_node(entries: &[HistoryEntry]) -> bool {
    let has_call = |entry: &HistoryEntry| entry.call() >= 0 && entry.by.on_node == entries[0].by.on_node;
    let is_new = |(n, entry): (usize, &HistoryEntry)| {
        entries[..n].iter().all(|other| other.call() != entry.call() && other.op.id != entry.op.id)
    };
    entries.iter().all(has_call) && entries.iter().enumerate().all(is_new)
}

fn merge_sort(mut entries: Vec<&HistoryEntry>) -> Vec<&HistoryEntry> {
    if entries.len() < 2 {
        return entries;
    }
    let right = merge_sort(entries.split_off(entries.len() / 2));
    let left = merge_sort(entries);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if is_newer(a, b).is_le() { left.next() } else { right.next() };
        merged.extend(next);
    }
    merged.extend(left.chain(right));
    merged
}
