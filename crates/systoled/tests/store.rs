//! The CIB on disk: damaged, missing, and passed between Pacemaker and us.

#![allow(missing_docs, reason = "a test")]

use std::{fs, path::PathBuf, process::Command};
use systole_cluster::Snapshot;
use systoled::CibStore;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("systole-store-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).expect("directory");
        Self(dir)
    }

    fn write(&self, epoch: u64) {
        CibStore::new(&self.0).write(&snapshot(epoch)).expect("written");
    }

    /// The epoch that is loaded, and what is said about it.
    fn load(&self) -> (Option<u64>, String) {
        let found = CibStore::new(&self.0).load();
        (found.snapshot.map(|snapshot| snapshot.version.epoch), found.warnings.join("\n"))
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0)
            .expect("dir")
            .map(|e| e.expect("entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn snapshot(epoch: u64) -> Snapshot {
    let xml = format!(
        r#"<cib validate-with="pacemaker-3.9" epoch="{epoch}" num_updates="0" admin_epoch="0">
  <configuration>
    <crm_config/>
    <nodes/>
    <resources>
      <primitive id="p" class="ocf" provider="heartbeat" type="Dummy" description="&quot;a&quot; &lt; b"/>
    </resources>
    <constraints/>
  </configuration>
</cib>
"#
    );
    let version = format!("0.{epoch}.0").parse().expect("version");
    Snapshot { xml, version, generation: epoch * 10 }
}

#[test]
fn what_was_written_is_read_again_with_its_generation() {
    let dir = Dir::new("again");
    assert_eq!(dir.load(), (None, String::new()));
    dir.write(1);
    dir.write(2);
    assert_eq!(CibStore::new(&dir.0).load().snapshot, Some(snapshot(2)));
    let expected = ["cib-0.raw", "cib-0.raw.sig", "cib.generation", "cib.last", "cib.xml", "cib.xml.sig"]
        .map(str::to_owned);
    assert_eq!(dir.names(), expected);
}

#[test]
fn backups_are_bounded() {
    let dir = Dir::new("bounded");
    (1..=104).for_each(|epoch| dir.write(epoch));
    assert_eq!(dir.names().iter().filter(|name| name.ends_with(".raw")).count(), 100);
    assert!(fs::read_to_string(dir.0.join("cib-2.raw")).expect("backup").contains("epoch=\"103\""));
}

#[test]
fn a_broken_cib_is_set_aside_and_the_newest_good_backup_taken() {
    for (name, damage) in
        [("text", "<cib epoch="), ("empty", ""), ("other", "<html/>"), ("edited", r#"<cib epoch="9"/>"#)]
    {
        let dir = Dir::new(name);
        (1..=3).for_each(|epoch| dir.write(epoch));
        fs::write(dir.0.join("cib.xml"), damage).expect("damage");
        let (epoch, warnings) = dir.load();
        assert_eq!(epoch, Some(2), "{name}: {warnings}");
        assert!(warnings.contains("set aside") && warnings.contains("cib-1.raw"), "{name}: {warnings}");
        assert_eq!(fs::read_to_string(dir.0.join("cib.auto.0")).expect("kept"), damage);
    }
}

#[test]
fn the_newest_backup_is_told_by_its_number_whatever_the_clock_was_and_loses_against_what_others_have() {
    let dir = Dir::new("clock");
    (1..=104).for_each(|epoch| dir.write(epoch));
    for (name, secs) in [("cib-2.raw", 1000), ("cib-1.raw", 2000)] {
        let file = fs::File::options().append(true).open(dir.0.join(name)).expect("backup");
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs)).expect("set");
    }
    fs::write(dir.0.join("cib.xml"), "junk").expect("damage");
    let snapshot = CibStore::new(&dir.0).load().snapshot.expect("a backup");
    assert_eq!((snapshot.version.epoch, snapshot.generation), (103, 1039));
}

#[test]
fn without_any_good_file_there_is_no_cib() {
    let dir = Dir::new("none");
    fs::write(dir.0.join("cib.xml"), "junk").expect("junk");
    fs::write(dir.0.join("cib-7.raw"), "junk").expect("junk");
    let (epoch, warnings) = dir.load();
    assert_eq!(epoch, None);
    assert!(warnings.contains("starting without a CIB"), "{warnings}");
}

#[test]
fn a_cib_without_a_digest_is_used_with_a_warning() {
    let dir = Dir::new("unsigned");
    dir.write(1);
    fs::remove_file(dir.0.join("cib.xml.sig")).expect("remove");
    let (epoch, warnings) = dir.load();
    assert_eq!(epoch, Some(1));
    assert!(warnings.contains("no digest"), "{warnings}");
}

#[test]
fn a_failed_write_leaves_what_was_there() {
    let dir = Dir::new("failed");
    dir.write(1);
    // A directory in the way of the temporary file stands for every disk error, and stops root too.
    fs::create_dir(dir.0.join("cib.new")).expect("obstacle");
    let error = CibStore::new(&dir.0).write(&snapshot(2)).expect_err("obstacle");
    assert!(error.to_string().contains("cib.new"), "{error}");
    assert_eq!(dir.load(), (Some(1), String::new()));
}

/// Pacemaker's own file code checks and writes digests for files in the live directory only, so that is put there in a
/// mount namespace of its own.
#[test]
fn pacemaker_takes_over_from_us_and_we_from_it() {
    let live = "/var/lib/pacemaker/cib";
    let can = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !rustix::process::geteuid().is_root()
        || !fs::exists(live).unwrap_or(false)
        || !can("cibadmin")
        || !can("unshare")
    {
        eprintln!("skipped: needs root and Pacemaker's tools");
        return;
    }
    let dir = Dir::new("pacemaker");
    dir.write(1);
    dir.write(2);
    let script = format!(
        "chown -R hacluster:haclient {0} && mount --bind {0} {live} && CIB_file={live}/cib.xml crm_attribute -n x -v \"<'&>\"",
        dir.0.display()
    );
    let output = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().expect("unshare");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !errors.contains("digest"), "{errors}");
    assert!(dir.names().contains(&"cib-1.raw.sig".to_owned()), "{:?}", dir.names());
    assert_eq!(dir.load(), (Some(3), String::new()));
}
