//! The order in which Pacemaker comes across the nodes of a table.
//!
//! It keeps nodes in GLib's hash tables by id, and where it takes the first of several equal ones, or sorts by a comparison
//! that contradicts itself (free capacity of several kinds does), the outcome depends on the table's order. Copied for that
//! reason alone: nodes of equal capacity, more than three, are otherwise filled in another order than there.
//! Tickets are listed in such an order, too.

/// Slots and divisors of tables of growing size: 8, 16, 32... slots.
const DIVISORS: [u32; 15] =
    [7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16_381, 32_749, 65_521, 131_071];

/// Positions in `ids` in the order in which a table that they were put into one after the other yields them.
pub(crate) fn hash_order(ids: &[&str]) -> Vec<usize> {
    let mut table = Table { size: 0, slots: vec![None; 8] };
    for (position, id) in ids.iter().enumerate() {
        table.insert((position, hash(id)));
        if table.slots.len() <= position + 1 + (position + 1) / 16 {
            table.grow(position + 1);
        }
    }
    table.slots.into_iter().flatten().map(|(position, _)| position).collect()
}

/// An entry: position in the list given, hash of the id.
type Entry = (usize, u32);

struct Table {
    /// Position in [`DIVISORS`].
    size: usize,
    slots: Vec<Option<Entry>>,
}

impl Table {
    /// The first slot for a hash that `is_taken` does not say is taken.
    fn slot(&self, hash: u32, is_taken: impl Fn(usize) -> bool) -> usize {
        let mut at = (hash.wrapping_mul(11) % DIVISORS[self.size]) as usize;
        let mut step = 0;
        while is_taken(at) {
            step += 1;
            at = (at + step) & (self.slots.len() - 1);
        }
        at
    }

    fn insert(&mut self, entry: Entry) {
        let at = self.slot(entry.1, |at| self.slots[at].is_some());
        self.slots[at] = Some(entry);
    }

    /// Grows in place: entries in the way of those that move are moved next.
    fn grow(&mut self, n_entries: usize) {
        let wanted = n_entries * 1333 / 1000;
        let bits = (usize::BITS - wanted.leading_zeros()).max(3) as usize;
        if bits - 3 >= DIVISORS.len() {
            return;
        }
        self.size = bits - 3;
        let n_slots = self.slots.len();
        self.slots.resize((1 << bits).max(n_slots), None);
        let mut is_placed = vec![false; self.slots.len()];
        for from in 0..n_slots {
            if is_placed[from] {
                continue;
            }
            let mut moving = self.slots[from].take();
            while let Some(entry) = moving {
                let to = self.slot(entry.1, |at| is_placed[at]);
                is_placed[to] = true;
                moving = self.slots[to].replace(entry);
            }
        }
    }
}

/// GLib's hash of strings as it was before 2.22: Pacemaker keeps to it for this order's sake. Numbers below 2 have a meaning
/// of their own.
fn hash(id: &str) -> u32 {
    let step = |hash: u32, byte: u8| hash.wrapping_mul(31).wrapping_add_signed(i32::from(byte.cast_signed()));
    id.bytes().fold(0, step).max(2)
}

#[cfg(test)]
mod tests {
    use super::hash_order;

    #[test]
    fn tables_yield_what_was_put_in_in_the_order_of_glib() {
        let sorted = |n: usize| (1..=n).map(|id| id.to_string()).collect::<Vec<_>>();
        let named = |n: usize| (1..=n).map(|id| format!("rhel8-{id}")).collect::<Vec<_>>();
        let twenty = "10 20 3 13 16 6 9 19 1 11 4 14 7 17 2 12 15 5 8 18";
        for (ids, order) in [
            (sorted(3), "1 3 2"),
            (sorted(4), "1 3 2 4"),
            (sorted(8), "4 3 2 8 1 7 6 5"),
            (sorted(20), twenty),
            (named(5), "rhel8-2 rhel8-4 rhel8-1 rhel8-3 rhel8-5"),
        ] {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let found: Vec<&str> = hash_order(&ids).into_iter().map(|at| ids[at]).collect();
            assert_eq!(found.join(" "), order);
        }
    }

    #[test]
    fn nothing_is_lost_when_tables_grow() {
        for n in 0..300 {
            let ids: Vec<String> = (0..n).map(|id| format!("node-{id}")).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let mut found = hash_order(&ids);
            found.sort_unstable();
            assert_eq!(found, (0..n).collect::<Vec<_>>());
        }
    }
}
