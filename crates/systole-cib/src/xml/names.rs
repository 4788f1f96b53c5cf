//! Names of elements and attributes, each kept once and known by number.

use std::{collections::BTreeMap, sync::Arc};

/// Places of the front cache; a CIB has some 150 different names.
const N_PLACES: usize = 512;

/// A table of names. Lookup is by a small cache first, so that parsing does not pay for the ordered map; the map
/// keeps hostile inputs from degrading it.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    list: Vec<Arc<str>>,
    by_name: BTreeMap<Arc<str>, u32>,
    cache: Vec<Option<(Look, u32)>>,
}

impl Names {
    pub fn get(&self, id: u32) -> &str {
        &self.list[id as usize]
    }

    pub fn find(&self, name: &str) -> Option<u32> {
        let look = Look::of(name);
        // A place that is still empty tells that no name of its look was ever entered.
        self.cache.get(look.place()).copied().flatten()?;
        self.cached(look, name).or_else(|| self.by_name.get(name).copied())
    }

    pub fn intern(&mut self, name: &str) -> u32 {
        let look = Look::of(name);
        if let Some(id) = self.cached(look, name) {
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
            self.cache = vec![None; N_PLACES];
        }
        self.cache[look.place()] = Some((look, id));
        id
    }

    fn cached(&self, look: Look, name: &str) -> Option<u32> {
        let (known, id) = (*self.cache.get(look.place())?)?;
        (known == look && (look.is_all() || *self.list[id as usize] == *name)).then_some(id)
    }
}

/// What a name looks like from its two ends: all of it, up to 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    len: usize,
    front: u64,
    back: u64,
}

impl Look {
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let (front, back) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (Some(front), Some(back)) => (u64::from_le_bytes(*front), u64::from_le_bytes(*back)),
            _ => match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
                (Some(front), Some(back)) => {
                    (u32::from_le_bytes(*front).into(), u32::from_le_bytes(*back).into())
                }
                _ => (bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
            },
        };
        Self { len: bytes.len(), front, back }
    }

    const fn is_all(self) -> bool {
        self.len <= 16
    }

    fn place(self) -> usize {
        let mixed =
            (self.front ^ self.back.rotate_left(29) ^ self.len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 48) as usize % N_PLACES
    }
}
