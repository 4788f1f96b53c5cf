#!/bin/bash
# Systole over Corosync, for a lab that runs any stack behind a script. It is called inside a node (`procs` anywhere) with
# LAB_DIR, the lab's directory, and answers to
#   prepare  put programs and configuration into the node, whose /etc, /usr, /var and /run are its own
#   start    launch the daemons and return
#   ready    exit 0 once this node is a member of a quorate cluster with a DC
#   stop     end the daemons
#   procs    names of the daemons' executables
# The programs are this build's; SYSTOLE_BIN names another directory.
set -u
here=$(dirname "$(realpath "$0")")
bin=${SYSTOLE_BIN:-$here/../../target/release}
daemons="corosync systole-corosync systole-execd systoled"
logs=/var/log/systole

launch() {
    "$@" >>"$logs/$1.log" 2>&1 </dev/null &
}

case ${1:-} in
prepare)
    # Over Pacemaker's own tools, where these are installed: whoever drives the lab calls both by the same names.
    for program in systole systole-corosync systole-execd systoled; do
        install -m 755 "$bin/$program" /usr/sbin/ || exit 1
    done
    for tool in $("$bin/systole" --list-tools); do
        [ "$tool" = systole ] || ln -sfn systole "/usr/sbin/$tool"
    done
    install -d -o hacluster -g haclient -m 750 /var/lib/pacemaker /var/lib/pacemaker/{cib,pengine}
    install -d "$logs" /run/systole /run/resource-agents /var/log/pacemaker/bundles /var/log/cluster /var/lib/corosync \
        /run/corosync /etc/corosync /etc/pacemaker
    install -m 644 "$LAB_DIR/conf/corosync.conf" /etc/corosync/corosync.conf
    install -g haclient -m 640 "$LAB_DIR/conf/authkey" /etc/pacemaker/authkey
    ;;
start)
    launch corosync -f
    for _ in $(seq 200); do corosync-cfgtool -s >/dev/null 2>&1 && break; sleep 0.05; done
    launch systole-corosync
    launch systole-execd
    launch systoled --node "$(hostname)" --stack corosync
    ;;
ready)
    state=$(timeout 5 crm_mon -1 --output-as=xml 2>/dev/null) || exit 1
    grep -q '<current_dc present="true".*with_quorum="true"' <<<"$state" &&
        grep -q "<node name=\"$(hostname)\".* online=\"true\".* pending=\"false\"" <<<"$state"
    ;;
stop)
    for daemon in systoled systole-execd systole-corosync corosync; do
        pid=$(pidof "$daemon") || continue
        kill $pid
        while kill -0 $pid 2>/dev/null; do sleep 0.1; done
    done
    ;;
procs)
    echo "$daemons"
    ;;
*)
    echo "usage: $0 prepare|start|ready|stop|procs" >&2
    exit 2
    ;;
esac
