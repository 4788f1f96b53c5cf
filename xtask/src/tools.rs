//! `cargo xtask tools DIR`.

use crate::shell;
use anyhow::{Context, Result};
use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

/// Fills `dir` with links, one per tool name that the release binary answers to.
pub fn link(dir: &Path) -> Result<()> {
    let names = link_to(&shell::build_release()?.join("systole"), dir)?;
    println!("{}: {}", dir.display(), names.join(" "));
    Ok(())
}

/// Fills `dir` with links to `binary`, one per tool name that it answers to; these names.
pub fn link_to(binary: &Path, dir: &Path) -> Result<Vec<String>> {
    let names = shell::output(Command::new(binary).arg("--list-tools"))?;
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for name in names.split_whitespace() {
        let link = dir.join(name);
        match fs::remove_file(&link) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot replace {}", link.display()));
            }
            _ => {
                symlink(binary, &link).with_context(|| format!("cannot make the link {}", link.display()))?
            }
        }
    }
    Ok(names.split_whitespace().map(str::to_owned).collect())
}
