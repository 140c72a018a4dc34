#!/bin/sh
# Ends what a launcher started, however the launcher went. Standard input is a pipe that only the launcher holds: it ends
# when the launcher closes it, exits, or is killed. Each line of it names one more folder in which a server works.
#   sh guard.sh FOLDER     FOLDER itself is removed at the end.
# A daemon also asks the kernel to be killed with its parent, but that reaches neither the daemon's own children (each
# process of PostgreSQL's is a session of its own) nor those of them that are stopped.

folder=$1
own=$(dirname "$0")
watched=$folder
trap '' HUP INT TERM
cd / || exit 1

while IFS= read -r line; do
  watched="$watched
$line"
done

# Those of the named programs that work there; a shell that somebody left there is no server.
working() {
  echo "$watched" | while IFS= read -r path; do
    find /proc -maxdepth 2 -name cwd \( -lname "$path" -o -lname "$path/*" \) -printf '%h\n' 2>/dev/null
  done | while IFS= read -r process; do
    name=$(cat "$process/comm" 2>/dev/null)
    for pattern; do
      # shellcheck disable=SC2254
      case $name in $pattern) echo "${process#/proc/}" ;; esac
    done
  done
}

servers() {
  working postgres initdb pgbouncer minio 'radosgw*' 'ceph*' setpriv redis-server valkey-server \
    unshare nsenter dockerd containerd docker-registry \
    epmd beam.smp erl_child_setup inet_gethost cpu_sup memsup 'ld-linux-*'
}

# What an engine in its folder has besides processes: control groups, and a route while its machine is down.
machines() {
  echo "$watched" | while IFS= read -r path; do
    find "$path" -maxdepth 2 -name machine.cgroup -printf '%h\n' 2>/dev/null
  done | while IFS= read -r machine; do
    sh "$own/docker-cgroups.sh" "$1" "$(cat "$machine/machine.cgroup")"
    [ "$1" = thaw ] || ip route delete unreachable "$(cat "$machine/machine.range")" 2>/dev/null
  done
}

machines thaw
tries=0
found=$(servers)
while [ -n "$found" ] && [ "$tries" -lt 100 ]; do
  # shellcheck disable=SC2086
  kill -KILL $found 2>/dev/null
  sleep 0.05
  tries=$((tries + 1))
  found=$(servers)
done

# A broker's own shells end when it does, unless they are stopped.
for process in $(working sh); do kill -CONT "$process" 2>/dev/null; done
machines remove
# A killed PostgreSQL leaves a segment of System V shared memory behind; the seventh line of its lock file names it.
for lock in "$folder"/*/data/postmaster.pid; do
  [ -f "$lock" ] && ipcrm -m "$(sed -n '7s/.* //p' "$lock")" 2>/dev/null
done
rm -rf "$folder"
