//! Finding what belongs to a text, among many thousands of texts that are all there beforehand.

/// Items found by their texts. Made in one go, then only looked into: in the order in which the items came, or by text.
pub(crate) struct Lookup<'d, T> {
    items: Vec<(&'d str, T)>,
    /// What each text comes to as a number, and its place among the items. In order of the numbers, then of the texts, then of
    /// the places: texts made to have the same number do not slow it down more than a sorted list would.
    sorted: Vec<(u64, u32)>,
}

impl<T> Default for Lookup<'_, T> {
    fn default() -> Self {
        Self { items: Vec::new(), sorted: Vec::new() }
    }
}

impl<'d, T> FromIterator<(&'d str, T)> for Lookup<'d, T> {
    fn from_iter<I: IntoIterator<Item = (&'d str, T)>>(items: I) -> Self {
        let items: Vec<(&'d str, T)> = items.into_iter().collect();
        let mut sorted: Vec<(u64, u32)> = (0..).zip(&items).map(|(n, (text, _))| (mixed(text), n)).collect();
        sorted.sort_unstable_by(|a, b| {
            let texts = || items[a.1 as usize].0.cmp(items[b.1 as usize].0);
            a.0.cmp(&b.0).then_with(texts).then(a.1.cmp(&b.1))
        });
        Self { items, sorted }
    }
}

impl<'d, T> Lookup<'d, T> {
    /// All items in the order in which they came.
    pub fn items(&self) -> &[(&'d str, T)] {
        &self.items
    }

    /// The place of the first item with this text.
    pub fn place(&self, text: &str) -> Option<usize> {
        let wanted = mixed(text);
        let is_before = |(number, place): &(u64, u32)| {
            let place = *place as usize;
            *number < wanted || (*number == wanted && self.items[place].0 < text)
        };
        let place = self.sorted.get(self.sorted.partition_point(is_before))?.1 as usize;
        (self.items[place].0 == text).then_some(place)
    }

    /// The first item with this text.
    pub fn get(&self, text: &str) -> Option<&T> {
        Some(&self.items[self.place(text)?].1)
    }

    /// Places of items whose text an earlier one has too, and the places of the first with it; in order.
    pub fn twins(&self) -> Vec<(usize, usize)> {
        let mut twins = Vec::new();
        let (mut first, mut number) = match self.sorted.first() {
            Some((number, place)) => (*place as usize, *number),
            None => return twins,
        };
        for (next_number, place) in &self.sorted[1..] {
            let place = *place as usize;
            if *next_number == number && self.items[place].0 == self.items[first].0 {
                twins.push((place, first));
            } else {
                (first, number) = (place, *next_number);
            }
        }
        twins.sort_unstable();
        twins
    }
}

/// A number that differs for most texts.
fn mixed(text: &str) -> u64 {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let rest = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain([rest]);
    let mixed = words.fold(text.len() as u64, |mixed, word| {
        (mixed ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    mixed ^ mixed >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_text_is_found_and_the_others_are_its_twins() {
        let texts = ["b", "a", "", "b", "a-long-text-1", "a-long-text-2", "b", "a-long-text-1"];
        let lookup: Lookup<'_, usize> = texts.iter().copied().zip(0..).collect();
        for (place, text) in [(0, "b"), (1, "a"), (2, ""), (4, "a-long-text-1"), (5, "a-long-text-2")] {
            assert_eq!((lookup.place(text), lookup.get(text)), (Some(place), Some(&place)), "{text}");
        }
        assert_eq!(lookup.get("c"), None);
        assert_eq!(lookup.twins(), [(3, 0), (6, 0), (7, 4)]);
        assert_eq!(lookup.items().len(), texts.len());
        let none: Lookup<'_, ()> = Lookup::default();
        assert_eq!((none.get("a"), none.twins()), (None, vec![]));
    }

    /// Every text of three bytes is of another number, and finds itself among all of them.
    #[test]
    fn short_texts_do_not_get_in_each_others_way() {
        let texts: Vec<String> = (0..26 * 26 * 26)
            .map(|n| {
                [n / 676, n / 26 % 26, n % 26]
                    .iter()
                    .filter_map(|letter| char::from_u32(u32::from(b'a') + letter))
                    .collect()
            })
            .collect();
        let lookup: Lookup<'_, usize> = texts.iter().map(String::as_str).zip(0..).collect();
        assert!(texts.iter().enumerate().all(|(place, text)| lookup.place(text) == Some(place)));
        assert!(lookup.sorted.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
