//! What may differ from run to run or from release to release, taken out of an output before it is compared.

use regex_lite::Regex;
use std::path::Path;

/// Patterns and what is put in their place, line by line and in this order.
const RULES: &[(&str, &str)] = &[
    (r"^(\s*\*? ?(Last (change|updated)|Current DC)): .*", "$1:"),
    (r"(Migration will take effect until:).*", "$1"),
    (r#"<(last_change|last_update) time="[^"]*""#, "<$1"),
    (r#" (start|end)="\d[^"]*""#, " $1"),
    (r#" last-rc-change=["'][^"']*["'],?"#, ""),
    (r#" (api-version|version|cib-last-written|validate-with|crm_feature_set|update-\w+)="[^"]*""#, ""),
    (r#"last-granted="\d+""#, "last-granted"),
    (r"(last-failure-[^=]*=)\d+", "$1"),
    (r"\(version [^)]*\)", "(version)"),
    (r"^Pacemaker \d.*", "Pacemaker"),
    (r"^(Written by Andrew Beekhof|Part of Systole).*", ""),
    (r#"request="[^"]*?(cibadmin|crm_\w+|iso8601|crmadmin|stonith_admin|attrd_updater) "#, "request=\"$1 "),
    (r"\s+", ""),
];

/// Takes times, versions and blanks out of texts.
pub struct Normal(Vec<(Regex, &'static str)>);

impl Normal {
    /// Compiles the rules.
    pub fn new() -> Self {
        let compile = |(pattern, text): &(&str, &'static str)| {
            (Regex::new(pattern).expect("patterns of the table are regular expressions"), *text)
        };
        Self(RULES.iter().map(compile).collect())
    }

    /// Lines of `text` that are not empty; `place` is where the command ran.
    pub fn lines(&self, text: &str, place: &Path) -> Vec<String> {
        let text = text.replace(&*place.to_string_lossy(), "PLACE");
        let normal = |line: &str| {
            let first = line.to_owned();
            self.0.iter().fold(first, |line, (pattern, text)| pattern.replace_all(&line, *text).into_owned())
        };
        text.lines().map(normal).filter(|line| !line.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_versions_do_not_count() {
        let normal = Normal::new();
        for (one, other) in [
            ("  * Last updated: Wed Nov 25", "* Last updated: Thu"),
            ("<cib cib-last-written=\"a\" epoch=\"1\">", "<cib epoch=\"1\">"),
            ("<x request=\"/opt/bin/crm_mon -1\"/>", "<x request=\"crm_mon -1\"/>"),
            ("wrote /a/b/shadow.x", "wrote PLACE/shadow.x"),
        ] {
            let place = Path::new("/a/b");
            assert_eq!(normal.lines(one, place), normal.lines(other, place), "{one}");
        }
        assert_ne!(normal.lines("epoch=\"1\"", Path::new("/")), normal.lines("epoch=\"2\"", Path::new("/")));
    }
}
