//! Tools under test, in a directory of their own.

#![allow(dead_code, reason = "every test file uses a part of this")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A directory that is gone at the end of the test, with a link for every tool in `tools`.
pub struct Place {
    pub dir: PathBuf,
}

/// What a command printed, and its exit code.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("systole-cli-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(dir.join("tools")).expect("a temporary directory");
        symlink(env!("CARGO_BIN_EXE_systole"), dir.join("tools/systole")).expect("a link");
        for tool in systole_cli::tools::TOOLS {
            symlink(env!("CARGO_BIN_EXE_systole"), dir.join("tools").join(tool.name)).expect("a link");
        }
        Self { dir }
    }

    pub fn tools(&self) -> PathBuf {
        self.dir.join("tools")
    }

    /// Copies a CIB into the place; commands work on it from then on.
    pub fn with_cib(self, text: &str) -> Self {
        fs::write(self.cib(), text).expect("the disk has room");
        self
    }

    pub fn cib(&self) -> PathBuf {
        self.dir.join("cib.xml")
    }

    pub fn cib_text(&self) -> String {
        fs::read_to_string(self.cib()).expect("the CIB is there")
    }

    /// Runs a shell command with the tools first in the path and nothing else of the environment.
    pub fn sh(&self, command: &str) -> Outcome {
        self.sh_on(command, Some(&self.cib()))
    }

    pub fn sh_on(&self, command: &str, cib: Option<&Path>) -> Outcome {
        let path = format!("{}:/usr/bin:/bin", self.tools().display());
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(&self.dir).env_clear();
        shell.env("PATH", path).env("LC_ALL", "C").env("TZ", "UTC");
        if let Some(cib) = cib {
            shell.env("CIB_file", cib);
        }
        let done = shell.output().expect("there is a shell");
        Outcome {
            code: done.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&done.stdout).into_owned(),
            err: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}
