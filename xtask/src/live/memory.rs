//! A container whose memory is used up.

use crate::{lab::Lab, shell};
use anyhow::Result;

/// Gives the container `$0` little memory, and has the kernel take the process `$1` when that is used up.
const LITTLE: &str = r#"
set -e
pid=$(podman inspect --format '{{.State.Pid}}' "$0")
group=$(sed -n 's/^[0-9]*:memory://p' /proc/$pid/cgroup)
if [ -n "$group" ]; then
    limit=/sys/fs/cgroup/memory$group/memory.limit_in_bytes
else
    limit=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/$pid/cgroup)/memory.max
fi
echo 128M > $limit
echo 1000 > /proc/$1/oom_score_adj
"#;

/// Has the kernel kill `victim`, a process of a container as its node numbers it, for want of memory.
///
/// # Errors
/// If it cannot be had to.
pub(super) fn use_up(lab: &Lab, node: &str, container: &str, victim: u32) -> Result<()> {
    lab.exec(node, &["sh", "-c", LITTLE, container, &victim.to_string()])?;
    // Once the victim is gone and this goes on, the kernel takes it, too.
    let fill = "x=x; while [ ${#x} -lt 500000000 ]; do x=$x$x; done";
    let fill = ["podman", "exec", container, "bash", "-c", fill];
    shell::output_whatever(&mut lab.exec_command(node, &fill)).map(drop)
}
