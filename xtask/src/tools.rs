//! `cargo xtask tools DIR`.

use crate::shell;
use anyhow::{Context, Result};
use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

/// Fills `dir` with links, one per tool name that the release binary answers to.
pub fn link(dir: &Path) -> Result<()> {
    let binary = shell::build_release()?.join("systole");
    let names = shell::output(Command::new(&binary).arg("--list-tools"))?;
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for name in names.split_whitespace() {
        let link = dir.join(name);
        match fs::remove_file(&link) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot replace {}", link.display()));
            }
            _ => {
                symlink(&binary, &link).with_context(|| format!("cannot make the link {}", link.display()))?
            }
        }
    }
    println!("{}: {}", dir.display(), names.split_whitespace().collect::<Vec<_>>().join(" "));
    Ok(())
}
