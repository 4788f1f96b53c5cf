//! CIBs of the reference data, altered at a few random places: closest to what real clusters and regression tests look like.
//!
//! Nothing is invented where it can be taken from the corpus: an attribute gets a value that it has in some other case.

mod configuration;
mod generated;
mod graft;
mod happenings;
mod settings;
mod status;

use crate::NOW;
use std::collections::BTreeMap;
use systole_cib::xml::{Document, Element, Key};
use systole_reference::scheduler_cases;
use systole_testbed::Random;

/// Values that one attribute or pair is given, at most.
const MAX_VALUES: usize = 60;

/// The corpus, and which values occur in it.
pub struct Stock {
    cases: Vec<(String, Document)>,
    /// By element and attribute.
    attributes: BTreeMap<(String, String), Vec<String>>,
    /// By set (`meta_attributes`, ...) and name.
    pairs: BTreeMap<(String, String), Vec<String>>,
}

/// What cases are altered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alterations {
    /// Whatever the corpus has, and what the generator does.
    Any,
    /// For the most part settings, with every value that the language has, and what happens by them.
    Settings,
}

/// An altered case: the same numbers give the same CIB.
#[derive(Clone, Debug)]
pub struct Mutant {
    kind: Alterations,
    /// The case's place among those of the corpus.
    case: usize,
    /// The seeds of its alterations.
    pub alterations: Vec<u64>,
}

impl Stock {
    /// Reads the corpus; `None` where it is missing or has nothing.
    ///
    /// # Errors
    /// If a case's CIB is no XML.
    pub fn read() -> anyhow::Result<Option<Self>> {
        let mut stock = Self { cases: Vec::new(), attributes: BTreeMap::new(), pairs: BTreeMap::new() };
        for case in scheduler_cases() {
            let document = Document::parse(case.text("xml"))?;
            stock.take_values(&document);
            stock.cases.push((case.name, document));
        }
        Ok((!stock.cases.is_empty()).then_some(stock))
    }

    fn take_values(&mut self, document: &Document) {
        let note = |values: &mut Vec<String>, value: &str| {
            if values.len() < MAX_VALUES && !values.iter().any(|known| known == value) && is_moderate(value) {
                values.push(value.to_owned());
            }
        };
        for element in document.root().descendants() {
            for (name, value) in element.attrs() {
                let key = (element.name().to_owned(), name.to_owned());
                note(self.attributes.entry(key).or_default(), value);
            }
            let set = element.parent().map(|set| set.name().to_owned());
            if let (true, Some(set), Some(name)) = (element.is("nvpair"), set, element.attr("name")) {
                let values = self.pairs.entry((set, name.to_owned())).or_default();
                note(values, element.attr("value").unwrap_or_default());
            }
        }
    }

    /// What a seed stands for.
    pub fn mutant(&self, kind: Alterations, seed: u64) -> Mutant {
        let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(91));
        let case = random.between(0, self.cases.len() as u64 - 1) as usize;
        let n_alterations = *random.pick(&[1, 2, 3, 5, 8, 12]);
        Mutant { kind, case, alterations: (0..n_alterations).map(|_| random.bits()).collect() }
    }

    /// The name of a mutant's case.
    pub fn name(&self, mutant: &Mutant) -> &str {
        &self.cases[mutant.case].0
    }

    /// A mutant's CIB, and what was done to it.
    pub fn cib(&self, mutant: &Mutant) -> (Document, Vec<String>) {
        let mut document = self.cases[mutant.case].1.clone();
        let root = document.root_key();
        if document.root().attr("execution-date").is_none() {
            document.set_attr(root, "execution-date", &NOW.0.to_string());
        }
        let mut done = Vec::new();
        for seed in &mutant.alterations {
            let before = document.clone();
            let mut patient =
                Patient { document: &mut document, random: Random::new(*seed), stock: self, n_ids: *seed };
            let said = match mutant.kind {
                Alterations::Settings if patient.random.chance(75) => patient.set(),
                Alterations::Any | Alterations::Settings => patient.alter(),
            };
            if generated::names_a_fitting_schema(&mut document) {
                done.push(said);
            } else {
                document = before;
            }
        }
        (document, done)
    }

    /// A mutant with as few alterations as `holds` needs.
    pub fn fewest(&self, mutant: &Mutant, holds: &mut dyn FnMut(&Document) -> bool) -> Mutant {
        let n = mutant.alterations.len();
        let mut subsets: Vec<u32> = (0..1 << n).collect();
        subsets.sort_by_key(|subset| subset.count_ones());
        for subset in subsets {
            let kept = (0..n).filter(|at| subset >> at & 1 == 1);
            let candidate =
                Mutant { alterations: kept.map(|at| mutant.alterations[at]).collect(), ..mutant.clone() };
            if holds(&self.cib(&candidate).0) {
                return candidate;
            }
        }
        mutant.clone()
    }
}

/// One of the values; there may be none that is moderate.
fn pick(random: &mut Random, values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| random.pick(values).clone())
}

/// Numbers that make plans of a size that can be waited for.
fn is_moderate(value: &str) -> bool {
    !(value.len() > 4 && value.parse::<u64>().is_ok_and(|number| (2000..1_000_000).contains(&number)))
}

/// A CIB that is being altered.
struct Patient<'s> {
    document: &'s mut Document,
    random: Random,
    stock: &'s Stock,
    n_ids: u64,
}

impl Patient<'_> {
    /// Does one thing to it, and says what.
    fn alter(&mut self) -> String {
        for _ in 0..20 {
            let done = match self.random.between(0, 60) {
                0..3 => self.drop_any("configuration"),
                3..6 => self.drop_any("status"),
                6..9 => self.change_attribute("configuration"),
                9..12 => self.change_attribute("status"),
                12..15 => self.change_pair(),
                15..18 => self.add_pair(),
                18 => self.add_constraint(),
                19 => self.change_reference(),
                20 => self.change_operation(),
                21 => self.reorder(),
                22 | 23 => self.change_result(),
                24 => self.change_node_state(),
                25 | 26 => self.set_transient(),
                27 => self.copy_history(),
                28 => self.copy_entry(),
                29 => self.wrap_primitive(),
                30 => self.add_set_constraint(),
                31 => self.add_ticket(),
                32 => self.disturb_node(),
                33..37 => self.graft_resource(),
                37 => self.graft_section(),
                38 => self.change_root(),
                39 => self.change_agent(),
                _ => self.generate(),
            };
            if let Some(done) = done {
                return done;
            }
        }
        "nothing".to_owned()
    }

    /// Sets something, and says what.
    fn set(&mut self) -> String {
        let mut done = (0..20).filter_map(|_| self.set_something());
        done.next().unwrap_or_else(|| "nothing".to_owned())
    }

    fn new_id(&mut self) -> String {
        self.n_ids = self.n_ids.wrapping_add(1);
        format!("altered-{}", self.n_ids % 1_000_000_007)
    }

    fn all(&self, test: impl Fn(Element<'_>) -> bool) -> Vec<Key> {
        self.document.root().descendants().filter(|element| test(*element)).map(Element::key).collect()
    }

    fn any(&mut self, test: impl Fn(Element<'_>) -> bool) -> Option<Key> {
        let all = self.all(test);
        (!all.is_empty()).then(|| *self.random.pick(&all))
    }

    fn any_attribute(&mut self, test: impl Fn(Element<'_>) -> bool, name: &str) -> Option<String> {
        let key = self.any(|element| test(element) && element.attr(name).is_some())?;
        self.document.element(key).attr(name).map(str::to_owned)
    }

    fn append(&mut self, parent: Key, name: &str, attributes: &[(&str, &str)]) -> Key {
        let key = self.document.append(parent, name);
        for (name, value) in attributes {
            self.document.set_attr(key, name, value);
        }
        key
    }

    fn tag(&self, key: Key) -> String {
        self.document.element(key).tag_to_text()
    }

    /// Removes an element and what is below it. Kinds are drawn first, so that rare ones get their share.
    fn drop_any(&mut self, section: &str) -> Option<String> {
        let section = self.any(|element| element.is(section))?;
        let below = self.document.element(section).descendants();
        let mut kinds: Vec<&str> =
            below.filter(|element| !KEPT.contains(&element.name())).map(Element::name).collect();
        kinds.sort_unstable();
        kinds.dedup();
        if kinds.is_empty() {
            return None;
        }
        let kind = (*self.random.pick(&kinds)).to_owned();
        let key = self.any(|element| element.is(&kind) && is_below(element, section))?;
        let done = format!("without {}", self.tag(key));
        self.document.remove(key);
        Some(done)
    }

    /// Gives an attribute another value of the corpus, or takes it away.
    fn change_attribute(&mut self, section: &str) -> Option<String> {
        let section = self.any(|element| element.is(section))?;
        let key = self.any(|element| is_below(element, section) && !element.is("nvpair"))?;
        let element = self.document.element(key);
        let names: Vec<String> = element
            .attrs()
            .map(|(name, _)| name.to_owned())
            .filter(|name| !IDENTITY.contains(&&**name))
            .collect();
        if names.is_empty() {
            return None;
        }
        let name = self.random.pick(&names).clone();
        let before = self.tag(key);
        if self.random.chance(10) {
            self.document.remove_attr(key, &name);
            return Some(format!("{before} without {name}"));
        }
        let kind = self.document.element(key).name().to_owned();
        let values = self.stock.attributes.get(&(kind, name.clone()))?;
        let value = pick(&mut self.random, values)?;
        self.document.set_attr(key, &name, &value);
        Some(format!("{before} with {name}={value}"))
    }
}

fn is_below(element: Element<'_>, ancestor: Key) -> bool {
    std::iter::successors(element.parent(), |above| above.parent()).any(|above| above.key() == ancestor)
}

/// Elements that are part of every CIB.
const KEPT: [&str; 4] = ["crm_config", "nodes", "resources", "constraints"];

/// Attributes by which things are found.
const IDENTITY: [&str; 11] =
    ["id", "name", "uname", "rsc", "with-rsc", "first", "then", "node", "template", "class", "operation_key"];
