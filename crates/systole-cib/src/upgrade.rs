//! Older configurations in the words of the newest schema.
//!
//! The scheduler and every status display read a CIB as if it had been written in the newest schema; `cibadmin --upgrade` also
//! keeps it so. Only three schemas have something to change on the way to their successor: 1.3 (ACLs), 2.10 (names of
//! options, what belongs to operations) and 3.10 (all that is not supported any more). A document that fits the successor as
//! it is is left alone. Source: behaviour of Pacemaker 3.0.2.

mod references;
mod support;
mod to_2_0;
mod to_3_0;
mod to_4_0;

use crate::{
    Diagnostic, Severity,
    model::Cib,
    schema::{self, Schema, SchemaSet},
    xml::Document,
};

/// Why a configuration cannot be brought to the newest schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// `validate-with` is missing, or names no schema.
    #[error("validate-with names no schema: set it to the one the configuration is written in, or to {newest}", newest = Schema::NEWEST)]
    NoSchema,
    /// It is not valid to begin with.
    #[error(
        "cannot upgrade configuration (claiming {claimed} schema) to at least {newest} because it does not validate with \
         any schema from {claimed} to the latest",
        newest = Schema::NEWEST
    )]
    Invalid {
        /// The schema it says it is written in.
        claimed: Schema,
    },
    /// It is valid, and what the newest schema asks for cannot be made of it.
    #[error(
        "cannot upgrade configuration (claiming {claimed} schema) to at least {newest} because it would not upgrade past \
         {reached}",
        newest = Schema::NEWEST
    )]
    Stuck {
        /// The schema it says it is written in.
        claimed: Schema,
        /// The newest one that it can be brought to.
        reached: Schema,
    },
}

/// A document brought to a newer schema.
pub struct Upgraded {
    /// The document.
    pub document: Document,
    /// Its schema.
    pub schema: Schema,
    /// What was lost, for people.
    pub notes: Vec<String>,
}

/// The typed view of a CIB as the newest schema has it. What cannot be brought there is read as it is, and that is told.
pub fn read(document: &Document) -> (Cib, Vec<Diagnostic>) {
    match for_reading(document) {
        Ok(None) | Err(UpgradeError::NoSchema) => crate::read(document),
        Ok(Some(upgraded)) => crate::read(&upgraded.document),
        Err(error) => {
            let (cib, mut diagnostics) = crate::read(document);
            diagnostics.insert(0, Diagnostic::about(Severity::Error, document.root(), error.to_string()));
            (cib, diagnostics)
        }
    }
}

/// The document as the newest schema has it; `None` if it may be read as it is: it fits from its own schema to the newest, or
/// does not want to be checked. That it fits the newest alone is not enough: 3.0 refuses names that 4.0 takes for anybody's.
///
/// # Errors
/// If it cannot be brought there.
pub fn for_reading(document: &Document) -> Result<Option<Upgraded>, UpgradeError> {
    if document.root().attr("validate-with") == Some("none") {
        return Ok(None);
    }
    let claimed = claimed(document)?;
    // Hardly any document has to be held against the others.
    let later = claimed.and_later();
    if later.without(schema::fitting_of(document, later)).is_empty() {
        return Ok(None);
    }
    let upgraded = climb(document, claimed, schema::fitting(document))?;
    match upgraded.schema {
        Schema::NEWEST => Ok(Some(upgraded)),
        reached => Err(UpgradeError::Stuck { claimed, reached }),
    }
}

/// The document in the newest schema that it can be brought to.
///
/// # Errors
/// If it is not valid to begin with.
pub fn as_far_as_possible(document: &Document) -> Result<Upgraded, UpgradeError> {
    climb(document, claimed(document)?, schema::fitting(document))
}

fn claimed(document: &Document) -> Result<Schema, UpgradeError> {
    document.root().attr("validate-with").and_then(Schema::named).ok_or(UpgradeError::NoSchema)
}

/// From schema to schema as long as the document fits. One that does not fit its own is tried with later ones.
fn climb(document: &Document, claimed: Schema, mut fits: SchemaSet) -> Result<Upgraded, UpgradeError> {
    let mut upgraded = Upgraded { document: document.clone(), schema: claimed, notes: Vec::new() };
    let mut reached = None;
    let mut next = Some(claimed);
    while let Some(at) = next.filter(|at| fits.has(*at) || reached.is_none()) {
        next = at.next();
        if !fits.has(at) {
            continue;
        }
        reached = Some(at);
        let Some(successor) = next.filter(|next| !fits.has(*next)) else { continue };
        if let Some((changed, notes)) = step(&upgraded.document, at) {
            let changed_fits = schema::fitting(&changed);
            if changed_fits.has(successor) {
                (upgraded.document, fits) = (changed, changed_fits);
                upgraded.notes.extend(notes);
            }
        }
    }
    upgraded.schema = reached.ok_or(UpgradeError::Invalid { claimed })?;
    if upgraded.schema > claimed {
        let root = upgraded.document.root_key();
        upgraded.document.set_attr(root, "validate-with", upgraded.schema.name());
    }
    Ok(upgraded)
}

/// What has to be changed for the successor of a schema, if anything has.
fn step(document: &Document, from: Schema) -> Option<(Document, Vec<String>)> {
    let mut changed = document.clone();
    let mut notes = Vec::new();
    match from {
        Schema::V1_3 => to_2_0::change(&mut changed),
        Schema::V2_10 => to_3_0::change(&mut changed)?,
        Schema::V3_10 => to_4_0::change(&mut changed, &mut notes)?,
        _ => return None,
    }
    Some((changed, notes))
}
