//! Users and groups by name, out of `/etc/passwd` and `/etc/group`.

use std::fs;

/// The user number of `name` and its primary group's, if there is such a user.
pub fn user(name: &str) -> Option<(u32, u32)> {
    let fields = entry("/etc/passwd", |fields| fields[0] == name)?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}

/// The name of the user numbered `uid`.
pub fn user_name(uid: u32) -> Option<String> {
    let uid = uid.to_string();
    entry("/etc/passwd", |fields| fields.get(2) == Some(&uid)).map(|mut fields| fields.swap_remove(0))
}

/// The number of the group `name`.
pub fn group(name: &str) -> Option<u32> {
    entry("/etc/group", |fields| fields[0] == name)?.get(2)?.parse().ok()
}

/// The groups that list `user` as a member.
pub fn groups_of(user: &str) -> Vec<String> {
    let text = fs::read_to_string("/etc/group").unwrap_or_default();
    let groups = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, members) = (fields.next()?, fields.nth(2)?);
        members.split(',').any(|member| member == user).then(|| name.to_owned())
    });
    groups.collect()
}

fn entry(file: &str, wanted: impl Fn(&[String]) -> bool) -> Option<Vec<String>> {
    let text = fs::read_to_string(file).ok()?;
    text.lines()
        .map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>())
        .find(|fields| wanted(fields))
}
