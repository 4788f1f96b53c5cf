//! `crm_simulate --profile`: how long it takes to plan for each of many CIBs.

use super::Args;
use crate::{Exit, Failed, Session, report::Report};
use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Instant,
};
use systole_cib::{
    upgrade::{self, UpgradeError},
    xml::Document,
};
use systole_output::simulation::Narrative;
use systole_scheduler::{plan::Origin, rules, schedule_in_detail};

/// Plans for every CIB of a directory, and tells how long each took.
pub fn profile(
    session: &Session<'_>,
    args: &Args,
    directory: &Path,
    mut narrative: Narrative,
) -> anyhow::Result<Report> {
    let files = cibs_in(directory).map_err(|error| {
        let exit = if error.kind() == ErrorKind::NotFound { Exit::NoSuch } else { Exit::Error };
        Failed::new(exit, format!("cannot read {}: {error}", directory.display()))
    })?;
    let now = session.local_time();
    let pretended = args.set_datetime.as_deref().and_then(|text| rules::parse_local_time(text, now));
    let now = pretended.unwrap_or(now);
    let mut timings = Vec::new();
    let mut errors = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let document = fs::read_to_string(&file)
            .map_err(|error| error.to_string())
            .and_then(|text| Document::parse(&text).map_err(|error| error.to_string()));
        let document = match document {
            Ok(document) if document.root().name() == "cib" => document,
            Ok(document) => {
                errors.push(format!(
                    "{name}: not a CIB: the outermost element is <{}>",
                    document.root().name()
                ));
                continue;
            }
            Err(error) => {
                errors.push(format!("{name}: {error}"));
                continue;
            }
        };
        let document = match upgrade::for_reading(&document) {
            Ok(Some(upgraded)) => upgraded.document,
            Ok(None) => document,
            Err(UpgradeError::NoSchema) if document.root().attr("validate-with").is_none() => document,
            Err(error) => {
                errors.push(format!("{name}: {error}"));
                continue;
            }
        };
        let begin = Instant::now();
        for _ in 0..args.repeat {
            let (mut cib, _) = systole_cib::read(&document);
            cib.execution_date = pretended.map(|now| now.at).or(cib.execution_date);
            schedule_in_detail(&cib, now, args.detail(), Origin::Shown);
        }
        timings.push((name, begin.elapsed().as_secs_f64()));
    }
    narrative.timings(&timings);
    Ok(Report { text: narrative.text, trees: narrative.trees, errors, ..Report::default() })
}

/// Files called `*.xml`, hidden ones left out, by name.
fn cibs_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".xml") && !name.starts_with('.') && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
