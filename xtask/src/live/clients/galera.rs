//! A table in the database, written to with MariaDB's own client.

use super::writer::{Promise, Store, WRITE_WITHIN};
use crate::{lab::Lab, shell};
use anyhow::{Context, Result};
use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    process::{Command, Stdio},
};

/// The internal address of `examples/openstack.xml`, where the database is.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 7, 52);

/// A table in the database.
pub struct Galera;

impl Galera {
    /// The table, made if need be, and empty.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn emptied(lab: &Lab) -> Result<Self> {
        const SETUP: &str = "CREATE DATABASE IF NOT EXISTS lab; \
            CREATE TABLE IF NOT EXISTS lab.written (n BIGINT PRIMARY KEY) ENGINE=InnoDB; \
            DELETE FROM lab.written; \
            CREATE USER IF NOT EXISTS writer IDENTIFIED BY 'example'; \
            GRANT ALL ON lab.* TO writer";
        let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
        sql(lab, &node.name, SETUP)?;
        Ok(Galera)
    }

    /// Inserts a row on the copy on `node`.
    ///
    /// # Errors
    /// If it is not acknowledged.
    pub fn insert(lab: &Lab, node: &str, number: u64) -> Result<()> {
        sql(lab, node, &format!("INSERT IGNORE INTO lab.written VALUES ({number})")).map(drop)
    }

    /// The rows the copy on `node` has.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn rows(lab: &Lab, node: &str) -> Result<BTreeSet<u64>> {
        let text = sql(lab, node, "SELECT n FROM lab.written")?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }
}

/// What the copy on `node` answers to a statement.
fn sql(lab: &Lab, node: &str, statement: &str) -> Result<String> {
    let container = lab.container(node, "galera-bundle")?;
    lab.exec(node, &["podman", "exec", &container, "mysql", "-Ne", statement])
}

impl Store for Galera {
    fn write(&mut self, number: u64) -> Result<Promise> {
        let mut command = Command::new("timeout");
        command.args([&WRITE_WITHIN.as_secs().to_string(), "mysql", "--no-defaults"]);
        command.args(["--host", &ADDRESS.to_string(), "--user=writer", "--password=example"]);
        command.args([
            "--connect-timeout=1",
            "--execute",
            &format!("INSERT INTO lab.written VALUES ({number})"),
        ]);
        shell::output(command.stdin(Stdio::null()))?;
        Ok(Promise::Kept)
    }
}
