//! What an action is told.

use std::{collections::BTreeMap, fmt, iter::Peekable, slice, sync::Arc};

/// A name with its value.
pub(crate) type Pair = (Arc<str>, Arc<str>);

/// What several actions are told.
pub(crate) type Shared = BTreeMap<Arc<str>, Arc<str>>;

/// Names with values, by name. Many actions are told nearly the same: they can share what they have in common.
#[derive(Clone, Default)]
pub struct Attributes {
    shared: Arc<Shared>,
    /// By name; these count where both have one. What is done on one node often has the same.
    own: Arc<Vec<Pair>>,
}

impl Attributes {
    /// Those of `shared`, until some are added.
    pub fn sharing(shared: Arc<BTreeMap<Arc<str>, Arc<str>>>) -> Self {
        Self { shared, own: Arc::default() }
    }

    /// These, but for what is shared, which is replaced.
    pub fn on(&self, shared: Arc<BTreeMap<Arc<str>, Arc<str>>>) -> Self {
        Self { shared, own: self.own.clone() }
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<str>> {
        match self.position(name) {
            Ok(found) => Some(&self.own[found].1),
            Err(_) => self.shared.get(name),
        }
    }

    /// Gives a name a value, whatever it had.
    pub fn insert(&mut self, name: Arc<str>, value: Arc<str>) {
        let position = self.position(&name);
        let own = Arc::make_mut(&mut self.own);
        match position {
            Ok(found) => own[found].1 = value,
            Err(place) => own.insert(place, (name, value)),
        }
    }

    /// Gives a name a value unless it has one.
    pub fn insert_new(&mut self, name: &str, value: &Arc<str>) {
        if self.get(name).is_none() {
            self.insert(name.into(), value.clone());
        }
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        Merged { shared: self.shared.iter().peekable(), own: self.own.iter().peekable() }
    }

    /// What is shared, and by name what is its own and counts where both have a name.
    pub(crate) fn parts(&self) -> (&Arc<Shared>, &Arc<Vec<Pair>>) {
        (&self.shared, &self.own)
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.own.binary_search_by(|(known, _)| (**known).cmp(name))
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Extend<Pair> for Attributes {
    fn extend<T: IntoIterator<Item = Pair>>(&mut self, pairs: T) {
        pairs.into_iter().for_each(|(name, value)| self.insert(name, value));
    }
}

impl FromIterator<Pair> for Attributes {
    fn from_iter<T: IntoIterator<Item = Pair>>(pairs: T) -> Self {
        let mut attributes = Self::default();
        attributes.extend(pairs);
        attributes
    }
}

/// Both in the order of their names.
struct Merged<'a> {
    shared: Peekable<std::collections::btree_map::Iter<'a, Arc<str>, Arc<str>>>,
    own: Peekable<slice::Iter<'a, Pair>>,
}

impl<'a> Iterator for Merged<'a> {
    type Item = (&'a Arc<str>, &'a Arc<str>);

    fn next(&mut self) -> Option<Self::Item> {
        let own = self.own.peek().map(|(name, value)| (name, value));
        match (self.shared.peek(), own) {
            (Some(shared), Some(own)) if shared.0 < own.0 => self.shared.next(),
            (shared, Some(own)) => {
                if shared.is_some_and(|shared| shared.0 == own.0) {
                    self.shared.next();
                }
                self.own.next();
                Some(own)
            }
            (_, None) => self.shared.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<Pair> {
        text.split_whitespace()
            .map(|pair| pair.split_once('=').expect("a pair"))
            .map(|(n, v)| (n.into(), v.into()))
            .collect()
    }

    #[test]
    fn what_is_its_own_counts_and_all_are_by_name() {
        for (shared, own, all) in [
            ("", "", ""),
            ("a=1 c=1", "", "a=1 c=1"),
            ("", "b=2 a=2", "a=2 b=2"),
            ("a=1 c=1 e=1", "c=2 d=2 f=2 c=3", "a=1 c=3 d=2 e=1 f=2"),
            ("b=1", "a=2 b=2", "a=2 b=2"),
        ] {
            let mut attributes = Attributes::sharing(Arc::new(pairs(shared).into_iter().collect()));
            attributes.extend(pairs(own));
            let expected = pairs(all);
            assert!(attributes.iter().eq(expected.iter().map(|(n, v)| (n, v))), "{attributes:?}");
            assert!(expected.iter().all(|(name, value)| attributes.get(name) == Some(value)));
            assert_eq!(attributes, expected.into_iter().collect());
        }
    }

    #[test]
    fn what_is_there_stays_if_only_new_ones_are_wanted() {
        let mut attributes = Attributes::sharing(Arc::new(pairs("a=1").into_iter().collect()));
        attributes.insert_new("a", &"2".into());
        attributes.insert_new("b", &"2".into());
        assert_eq!(format!("{attributes:?}"), r#"{"a": "1", "b": "2"}"#);
    }
}
