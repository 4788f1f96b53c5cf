//! What the images are made of.

/// How an image is made.
pub struct Recipe {
    /// The name bundles use.
    pub name: &'static str,
    /// What it is, for `lab image list`.
    pub about: &'static str,
    /// What is taken from the host.
    pub contents: Contents,
    /// Scripts of ours: path and text.
    pub scripts: &'static [(&'static str, &'static str)],
}

/// What is taken from the host.
pub enum Contents {
    /// These programs with the libraries they need, and Busybox: enough for a service that runs alone.
    Programs(&'static [&'static str]),
    /// These Debian packages and what they depend on, mostly with resource agents and a remote daemon: for a service that
    /// the cluster's agents manage inside the container.
    Packages {
        /// The service's packages.
        service: &'static [&'static str],
        /// The remote daemon.
        remote: Remote,
    },
}

/// Who runs agents inside the container on the cluster's behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// This build's `systole-execd`, which is a remote daemon when it is called `pacemaker-remoted`, and our tools.
    Systole,
    /// Pacemaker's own `pacemaker-remoted` and command line tools, as Debian has them.
    Stock,
    /// Nobody, and there are neither agents nor tools: for agentless bundles, where the host brings all of it.
    Nobody,
}

const KOLLA_START: (&str, &str) = ("usr/local/bin/kolla_start", include_str!("../../images/kolla_start"));

/// The agents.
pub const AGENTS: &str = "resource-agents";

/// What every image with packages has beside its service: what agents expect of a host.
pub const HOST_PACKAGES: &[&str] = &[
    "bash",
    "bsdutils",
    "coreutils",
    "dash",
    "debianutils",
    "findutils",
    "gawk",
    "grep",
    "hostname",
    "iproute2",
    "libc-bin",
    "libxml2-utils",
    "login",
    "ncurses-bin",
    "procps",
    "sed",
    "sysvinit-utils",
    "util-linux",
];

/// The images the examples use.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: "localhost/haproxy:lab",
        about: "HAProxy behind a kolla_start, as in OpenStack's images",
        contents: Contents::Programs(&["haproxy", "bash"]),
        scripts: &[KOLLA_START],
    },
    Recipe {
        name: "localhost/web:lab",
        about: "a web server that answers with its host's name",
        contents: Contents::Programs(&["bash"]),
        scripts: &[("usr/local/bin/web_start", include_str!("../../images/web_start"))],
    },
    Recipe {
        name: "localhost/cinder-volume:lab",
        about: "a small daemon in the place of OpenStack's cinder-volume",
        contents: Contents::Programs(&["bash"]),
        scripts: &[KOLLA_START, ("usr/local/bin/cinder-volume", include_str!("../../images/cinder-volume"))],
    },
    service(
        "localhost/galera:lab",
        "MariaDB with Galera, its agent, and our remote daemon and tools",
        GALERA,
        Remote::Systole,
    ),
    service(
        "localhost/rabbitmq:lab",
        "RabbitMQ, its agent, and our remote daemon and tools",
        RABBITMQ,
        Remote::Systole,
    ),
    service(
        "localhost/redis:lab",
        "Redis, its agent, and our remote daemon and tools",
        REDIS,
        Remote::Systole,
    ),
    service(
        "localhost/galera:stock",
        "MariaDB with Galera, its agent, and Pacemaker's remote daemon",
        GALERA,
        Remote::Stock,
    ),
    service(
        "localhost/rabbitmq:stock",
        "RabbitMQ, its agent, and Pacemaker's remote daemon",
        RABBITMQ,
        Remote::Stock,
    ),
    service("localhost/redis:stock", "Redis, its agent, and Pacemaker's remote daemon", REDIS, Remote::Stock),
    Recipe {
        name: "localhost/redis:bare",
        about: "Redis and nothing of a cluster's, for agentless bundles",
        contents: Contents::Packages { service: REDIS, remote: Remote::Nobody },
        scripts: &[("usr/local/bin/idle", include_str!("../../images/idle"))],
    },
];

const GALERA: &[&str] = &["mariadb-server", "galera-4"];
const RABBITMQ: &[&str] = &["rabbitmq-server"];
const REDIS: &[&str] = &["redis-server", "redis-tools"];

const fn service(
    name: &'static str,
    about: &'static str,
    service: &'static [&'static str],
    remote: Remote,
) -> Recipe {
    Recipe { name, about, contents: Contents::Packages { service, remote }, scripts: &[KOLLA_START] }
}

/// The recipe for an image's name.
pub fn recipe(name: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.name == name)
}

/// A CIB's text with images that have Pacemaker's remote daemon in the place of those that have ours.
pub fn with_stock_daemons(cib: String) -> String {
    let stock = RECIPES.iter().filter_map(|recipe| recipe.name.strip_suffix(":stock"));
    stock.fold(cib, |cib, name| cib.replace(&format!("\"{name}:lab\""), &format!("\"{name}:stock\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_have_no_remote_daemon_stay() {
        let cib = r#"image="localhost/redis:lab" image="localhost/haproxy:lab""#;
        let expected = r#"image="localhost/redis:stock" image="localhost/haproxy:lab""#;
        assert_eq!(with_stock_daemons(cib.to_owned()), expected);
    }
}
