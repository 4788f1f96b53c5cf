//! Carrying out a call: on a copy, which takes the document's place only if all went well.

use super::{
    CibAction, CibCall, Failure, Scope,
    accept::{changes, check_bounds, check_sections, check_valid, count, write_stamp},
    merge::{self, Merge},
    query::{query, xpath_matches},
    sections,
};
use crate::{
    ElementName,
    acl::Acl,
    patch, read,
    schema::Schema,
    upgrade::{self, UpgradeError},
    xml::{Document, Element, Key, XmlError},
    xpath,
};
use std::{collections::BTreeSet, fmt};
use systole_types::CibVersion;

/// Who changes the CIB, and when: written down with every change of the configuration. Empty texts leave what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// `cib-last-written`, as people read it.
    pub now_text: String,
    /// `update-origin`: the node.
    pub origin: String,
    /// `update-client`: the program.
    pub client: String,
    /// `update-user`.
    pub user: String,
}

/// What a call changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Changed {
    /// Nothing at all; the version stays.
    #[default]
    Nothing,
    /// The status section: `num_updates` was counted up.
    Status,
    /// The configuration: `epoch` was counted up.
    Configuration,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Applied {
    /// What a query found, as text: one element, or several within `<xpath-query>`.
    pub output: Option<String>,
    /// What was changed.
    pub changed: Changed,
    /// Whether the CIB is another one, of which nothing comes from the old one, the status section included.
    pub is_another: bool,
    /// The version the CIB has now.
    pub version: CibVersion,
}

/// Why a call was refused. The document is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OpError {
    /// Of what kind it is.
    pub failure: Failure,
    /// What is wrong, with which element, and what to do.
    pub message: String,
}

impl OpError {
    pub(super) fn new(failure: Failure, message: impl fmt::Display) -> Self {
        Self { failure, message: message.to_string() }
    }
}

impl From<XmlError> for OpError {
    fn from(error: XmlError) -> Self {
        Self::new(Failure::BadInput, format!("the XML given cannot be read: {error}"))
    }
}

impl From<xpath::XPathError> for OpError {
    fn from(error: xpath::XPathError) -> Self {
        let failure = match error {
            // It may be an expression, but no place.
            xpath::XPathError::NotElements(_) => Failure::NotFound,
            _ => Failure::BadInput,
        };
        Self::new(failure, error)
    }
}

impl From<UpgradeError> for OpError {
    fn from(error: UpgradeError) -> Self {
        Self::new(Failure::Invalid, error)
    }
}

impl From<patch::PatchError> for OpError {
    fn from(error: patch::PatchError) -> Self {
        let failure = match error {
            patch::PatchError::NotAPatch(_) => Failure::BadInput,
            _ => Failure::PatchMismatch,
        };
        Self::new(failure, error)
    }
}

/// Carries out `call`.
///
/// The same call on the same document with the same stamp gives the same document on every node. Keys into the
/// document are void afterwards.
///
/// # Errors
/// If the call cannot be understood, does not fit the document, or would make it invalid. A mistake that was in the
/// document before does not stand in the way of a change elsewhere. The document is untouched then.
pub fn apply(document: &mut Document, call: &CibCall, stamp: &Stamp) -> Result<Applied, OpError> {
    apply_as(document, call, stamp, None)
}

/// As [`apply`], for somebody who may see and change what the access control list allows.
///
/// # Errors
/// As [`apply`], and if that is not allowed.
pub fn apply_as(
    document: &mut Document,
    call: &CibCall,
    stamp: &Stamp,
    acl: Option<&Acl>,
) -> Result<Applied, OpError> {
    apply_by(Rules::Present, document, call, stamp, acl)
}

/// By which rules a call is refused: members of a cluster may be of different versions, and all refuse the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Today's.
    Present,
    /// Those of members that speak the cluster's protocol below its minor part 7: `<cib>` may hold other sections, or in another
    /// order, or be another element.
    AnySections,
}

/// As [`apply_as`], by these rules.
///
/// # Errors
/// As [`apply_as`].
pub fn apply_by(
    rules: Rules,
    document: &mut Document,
    call: &CibCall,
    stamp: &Stamp,
    acl: Option<&Acl>,
) -> Result<Applied, OpError> {
    if call.action == CibAction::Query {
        return answer(document, call, acl);
    }
    let mut new = document.clone();
    new.tidy();
    let root = new.root_key();
    let has_set_version = match acl {
        None => perform(&mut new, call, None)?,
        Some(acl) => perform_within(&mut new, call, acl)?,
    };
    let is_another = match call.action {
        CibAction::Erase => true,
        // The status section goes along.
        CibAction::Upgrade => false,
        _ => new.root_key() != root,
    };
    let counts_itself = matches!(call.action, CibAction::Bump | CibAction::Erase);
    if acl.is_some_and(|acl| !acl.allows(document, &new) || (counts_itself && !acl.allows_version(document)))
    {
        return Err(denied());
    }
    check_bounds(&new)?;
    if rules == Rules::Present {
        check_sections(document, &new)?;
    }
    let changed = match call.action {
        // An erasure wins over what other nodes have, even if there was nothing to erase.
        CibAction::Erase | CibAction::Bump => Changed::Configuration,
        // An upgrade counts even where there was nothing to do.
        CibAction::Upgrade => changes(document, &new, call.action).max(Changed::Status),
        action => changes(document, &new, action),
    };
    check_version(document, &new)?;
    if changed == Changed::Configuration {
        check_valid(document, &new)?;
    }
    if !has_set_version {
        count(&mut new, changed);
        if changed == Changed::Configuration {
            write_stamp(&mut new, stamp);
        }
    }
    *document = new;
    Ok(Applied { output: None, changed, is_another, version: version(document) })
}

/// What is asked for, as far as it may be seen.
fn answer(document: &Document, call: &CibCall, acl: Option<&Acl>) -> Result<Applied, OpError> {
    let output = Some(match acl {
        None => query(document, call)?,
        Some(acl) => query(&acl.readable(document).ok_or_else(denied)?, call)?,
    });
    Ok(Applied { output, version: version(document), ..Applied::default() })
}

/// Refuses to go back.
fn check_version(document: &Document, new: &Document) -> Result<(), OpError> {
    let (has, would_have) = (version(document), version(new));
    if would_have >= has {
        return Ok(());
    }
    let message = format!(
        "the CIB has version {has}, the new one would have {would_have}: fetch the CIB again and make the change there"
    );
    Err(OpError::new(Failure::OldVersion, message))
}

pub(crate) fn version(document: &Document) -> CibVersion {
    read::version(document.root())
}

/// Does what the action says, for somebody who may not see everything: what is hidden is not found by its attributes, and no
/// error tells of it.
fn perform_within(document: &mut Document, call: &CibCall, acl: &Acl) -> Result<bool, OpError> {
    let searches = matches!(call.scope, Scope::XPath(_))
        || matches!(call.action, CibAction::Delete | CibAction::DeleteAll);
    let mut sight = match acl.readable(document) {
        Some(readable) => readable,
        None if searches => return Err(denied()),
        None => empty(document),
    };
    let is_whole = sight == *document;
    // A digest is that of everything: who guesses what is hidden would hear of it whether that is right.
    if call.action == CibAction::Patch && !is_whole && input(call)?.root().attr("digest").is_some() {
        return Err(denied());
    }
    let before = document.clone();
    match perform(document, call, Some(&sight)) {
        Ok(_) if !is_whole && acl.sets_hidden(&before, |copy| perform(copy, call, Some(&sight)).is_ok()) => {
            Err(denied())
        }
        Err(error) if !is_whole => {
            let again = perform(&mut sight, call, None);
            Err(if again == Err(error.clone()) { error } else { denied() })
        }
        done => done,
    }
}

/// What is left of a document for whoever may see nothing of it. Keys are the same.
fn empty(document: &Document) -> Document {
    let (mut empty, root) = (document.clone(), document.root());
    document.contents(root.key()).for_each(|(key, _)| empty.remove(key));
    root.attrs().for_each(|(name, _)| _ = empty.remove_attr(root.key(), name));
    empty
}

fn denied() -> OpError {
    OpError::new(Failure::Denied, "Permission denied")
}

/// Does what the action says. Whether it has seen to the version itself. What is looked for is looked for in `sight`, which
/// is the document but for what is hidden; `None`: nothing is.
fn perform(document: &mut Document, call: &CibCall, sight: Option<&Document>) -> Result<bool, OpError> {
    match call.action {
        CibAction::Query => {}
        CibAction::Create => create(document, call, sight)?,
        CibAction::Modify => modify(document, call, sight)?,
        CibAction::Replace => replace(document, call, sight)?,
        CibAction::Delete => delete(document, call, HowMany::First, sight)?,
        CibAction::DeleteAll => delete(document, call, HowMany::All, sight)?,
        CibAction::Erase => erase(document),
        CibAction::Patch => return Ok(patch::apply(document, input(call)?.root())?.is_some()),
        CibAction::Bump => {}
        CibAction::Upgrade => bring_up(document)?,
    }
    Ok(false)
}

/// To the newest schema that it can be brought to, if that is newer than its own.
fn bring_up(document: &mut Document) -> Result<(), OpError> {
    if document.root().attr("validate-with") == Some("none") {
        return Ok(());
    }
    let upgraded = upgrade::as_far_as_possible(document)?;
    let claimed = document.root().attr("validate-with").and_then(Schema::named);
    if let Some(claimed) = claimed.filter(|claimed| upgraded.schema <= *claimed && *claimed < Schema::NEWEST)
    {
        return Err(UpgradeError::Stuck { claimed, reached: upgraded.schema }.into());
    }
    *document = upgraded.document;
    Ok(())
}

/// The XML of a call.
fn input(call: &CibCall) -> Result<Document, OpError> {
    match &call.xml {
        Some(text) => Ok(Document::parse(text)?),
        None => Err(OpError::new(Failure::BadInput, "this action needs XML to go with it")),
    }
}

/// Where a call changes something: the section it names, which is made if it may be there, or what an XPath finds.
fn targets(document: &mut Document, scope: &Scope, sight: Option<&Document>) -> Result<Vec<Key>, OpError> {
    match scope {
        Scope::All => Ok(vec![document.root_key()]),
        Scope::Section(name) => Ok(vec![sections::find_or_make(document, name)?]),
        Scope::XPath(expression) => {
            let found = xpath_matches(sight.unwrap_or(document), expression)?;
            Ok(found.into_iter().map(|found| found.element.key()).collect())
        }
    }
}

/// The elements a call brings: the one given, or the children of it where it is the section itself (or a whole CIB).
fn brought<'i>(input: &'i Document, scope: &Scope) -> Result<Vec<Element<'i>>, OpError> {
    let Scope::Section(section) = scope else { return Ok(vec![input.root()]) };
    match sections::within(input, section)? {
        Some(section) => Ok(section.children().collect()),
        None => Ok(vec![input.root()]),
    }
}

fn create(document: &mut Document, call: &CibCall, sight: Option<&Document>) -> Result<(), OpError> {
    let input = input(call)?;
    if call.scope == Scope::All {
        let message = "say where to create it: name a section such as resources, or an XPath";
        return Err(OpError::new(Failure::Invalid, message));
    }
    let elements = brought(&input, &call.scope)?;
    for parent in targets(document, &call.scope, sight)? {
        for element in &elements {
            let is_same = |e: &Element<'_>| e.is(element.name()) && e.id() == element.id();
            if let Some(existing) = document.element(parent).children().find(is_same) {
                let message = format!("{} exists already{}", ElementName::of(existing), line_of(existing));
                return Err(OpError::new(Failure::Exists, message));
            }
            document.import(parent, None, *element);
        }
    }
    Ok(())
}

/// Where an element is, for a message.
pub(super) fn line_of(element: Element<'_>) -> String {
    element.position().map_or_else(String::new, |position| format!(" (line {})", position.line))
}

fn modify(document: &mut Document, call: &CibCall, sight: Option<&Document>) -> Result<(), OpError> {
    let input = input(call)?;
    let elements = match &call.scope {
        Scope::Section(name) => match sections::within(&input, name)? {
            Some(section) => vec![section],
            None => vec![input.root()],
        },
        Scope::All | Scope::XPath(_) => vec![input.root()],
    };
    let merge = Merge { expand_scores: call.options.expand_scores };
    for target in targets(document, &call.scope, sight)? {
        for element in &elements {
            match merge::find_to_update(document, target, *element) {
                Some(key) => merge.update(document, key, *element),
                None if call.options.allow_create => {
                    document.import(target, None, *element);
                }
                None => {
                    let message = format!(
                        "there is no {} to modify: create it, or allow the modification to create it",
                        ElementName::of(*element)
                    );
                    return Err(OpError::new(Failure::NotFound, message));
                }
            }
        }
    }
    Ok(())
}

fn replace(document: &mut Document, call: &CibCall, sight: Option<&Document>) -> Result<(), OpError> {
    let input = input(call)?;
    let root = input.root();
    match &call.scope {
        Scope::All if root.is("cib") => {
            let key = document.root_key();
            document.replace(key, root);
        }
        Scope::All => {
            let key = document.root_key();
            replace_within(document, key, root)?;
        }
        Scope::Section(name) => match sections::within(&input, name)? {
            Some(section) => {
                let key = sections::find_or_make(document, name)?;
                document.replace(key, section);
            }
            None => {
                let key = sections::find(document, name)?.key();
                replace_within(document, key, root)?;
            }
        },
        Scope::XPath(expression) => {
            let first = xpath_matches(sight.unwrap_or(document), expression)?[0].element;
            if !first.is(root.name()) {
                let message = format!(
                    "XPath {expression:?} finds {}, which a <{}> cannot replace",
                    ElementName::of(first),
                    root.name()
                );
                return Err(OpError::new(Failure::BadInput, message));
            }
            let key = first.key();
            document.replace(key, root);
        }
    }
    Ok(())
}

/// Puts `new` in the place of the first element below `top` that has its name and id.
fn replace_within(document: &mut Document, top: Key, new: Element<'_>) -> Result<(), OpError> {
    let found = document.element(top).descendants().find(|e| e.is(new.name()) && e.id() == new.id());
    match found.map(Element::key) {
        Some(key) => {
            document.replace(key, new);
            Ok(())
        }
        None => {
            Err(OpError::new(Failure::NotFound, format!("there is no {} to replace", ElementName::of(new))))
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum HowMany {
    First,
    All,
}

/// Deleting what is not there is no error.
fn delete(
    document: &mut Document,
    call: &CibCall,
    how_many: HowMany,
    sight: Option<&Document>,
) -> Result<(), OpError> {
    let found: Vec<Key> = match &call.scope {
        Scope::XPath(expression) => {
            let most = if how_many == HowMany::First { 1 } else { usize::MAX };
            let found = xpath::matches(sight.unwrap_or(document), expression)?.into_iter().take(most);
            let (attributes, elements): (Vec<_>, Vec<_>) = found
                .map(|found| (found.element.key(), found.attribute.map(str::to_owned)))
                .partition(|(_, attribute)| attribute.is_some());
            for (key, name) in attributes {
                document.remove_attr(key, name.as_deref().unwrap_or_default());
            }
            elements.into_iter().map(|(key, _)| key).collect()
        }
        // Of each element that is given, the first that fits.
        scope => {
            let input = input(call)?;
            let top = match scope {
                Scope::Section(name) => sections::find(sight.unwrap_or(document), name)?,
                _ => sight.unwrap_or(document).root(),
            };
            let patterns = brought(&input, scope)?;
            let first =
                |pattern: Element<'_>| top.descendants().find(|e| fits(*e, pattern)).map(Element::key);
            patterns.into_iter().filter_map(first).collect()
        }
    };
    let mut gone = BTreeSet::new();
    for key in found {
        let mut up = document.element(key).parent();
        let is_gone = std::iter::from_fn(|| {
            let at = up?;
            up = at.parent();
            Some(at.key())
        })
        .any(|key| gone.contains(&key));
        if is_gone {
            continue;
        }
        sections::may_delete(document.element(key))?;
        document.remove(key);
        gone.insert(key);
    }
    Ok(())
}

/// Whether an element has the pattern's name and all of its attributes.
fn fits(element: Element<'_>, pattern: Element<'_>) -> bool {
    element.is(pattern.name()) && pattern.attrs().all(|(name, value)| element.attr(name) == Some(value))
}

/// Leaves the empty sections every CIB has, and makes sure that the empty CIB wins over copies of the old one.
fn erase(document: &mut Document) {
    let admin_epoch = version(document).admin_epoch.saturating_add(1);
    let root = document.root_key();
    let children: Vec<Key> = document.root().children().map(Element::key).collect();
    children.into_iter().for_each(|key| document.remove(key));
    let configuration = document.append(root, "configuration");
    for section in ["crm_config", "nodes", "resources", "constraints"] {
        document.append(configuration, section);
    }
    document.append(root, "status");
    document.set_attr(root, "admin_epoch", &admin_epoch.to_string());
}
