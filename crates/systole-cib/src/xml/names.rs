//! Names of elements and attributes, each kept once and known by number.

use std::{collections::BTreeMap, sync::Arc};

/// Slots of the front cache; a CIB has some 150 different names.
const N_SLOTS: usize = 512;

/// A table of names. Lookup is by a small cache first, so that parsing does not pay for the ordered map; the map
/// keeps hostile inputs from degrading it.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    list: Vec<Arc<str>>,
    by_name: BTreeMap<Arc<str>, u32>,
    cache: Vec<u32>,
}

impl Names {
    pub fn get(&self, id: u32) -> &str {
        &self.list[id as usize]
    }

    pub fn find(&self, name: &str) -> Option<u32> {
        match self.cached(name) {
            Some(id) => Some(id),
            None => self.by_name.get(name).copied(),
        }
    }

    pub fn intern(&mut self, name: &str) -> u32 {
        if let Some(id) = self.cached(name) {
            return id;
        }
        let id = match self.by_name.get(name) {
            Some(id) => *id,
            None => {
                let id = u32::try_from(self.list.len()).expect("fewer names than bytes of text");
                let name: Arc<str> = name.into();
                self.list.push(Arc::clone(&name));
                self.by_name.insert(name, id);
                id
            }
        };
        if self.cache.is_empty() {
            self.cache = vec![u32::MAX; N_SLOTS];
        }
        self.cache[slot(name)] = id;
        id
    }

    fn cached(&self, name: &str) -> Option<u32> {
        let id = *self.cache.get(slot(name))?;
        (id != u32::MAX && *self.list[id as usize] == *name).then_some(id)
    }
}

fn slot(name: &str) -> usize {
    let bytes = name.as_bytes();
    let at = |i: usize| usize::from(bytes.get(i).copied().unwrap_or(0));
    let last = bytes.last().copied().map_or(0, usize::from);
    (bytes.len() * 7 + at(0) * 31 + at(3) * 13 + at(bytes.len() / 2) * 57 + last * 3) % N_SLOTS
}
