//! The workshop's differential fuzzer: random clusters, planned by us and by the incumbent's `crm_simulate`, which must agree.
//!
//! [`generate::cib`] makes a CIB from a seed: a configuration that the schema allows, and a status section that came
//! about by carrying out plans and having things go wrong in between; [`mutate`] alters CIBs of the corpus. [`answer`] runs both programs on it, [`judge`] compares their
//! answers, [`shrink`] finds the smallest CIB on which they still differ in the same way.
//!
//! [`census`] counts what the CIBs of a run had. [`rest`] needs no incumbent: it compares plans that leave out what is at rest with plans of everything.

#![forbid(unsafe_code)]

pub mod answer;
pub mod census;
pub mod generate;
pub mod judge;
pub mod mutate;
pub mod older;
pub mod rest;
pub mod shrink;

use systole_types::Timestamp;

/// When every generated CIB is scheduled.
pub const NOW: Timestamp = Timestamp(1_780_000_000);
