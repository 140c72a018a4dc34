#!/bin/sh
# The control groups of one Docker Engine's containers, all below one named group. They are the kernel's: no folder and no
# namespace takes them along when the engine is killed.
#   sh docker-cgroups.sh thaw NAME      a paused container cannot even be killed with version 1 of control groups
#   sh docker-cgroups.sh remove NAME    waits for the last process in them

groups() {
  find /sys/fs/cgroup -maxdepth 2 -type d -name "$1" 2>/dev/null
}

case $1 in
  thaw)
    groups "$2" | while IFS= read -r group; do
      find "$group" -mindepth 2 -name freezer.state 2>/dev/null | while IFS= read -r state; do
        echo THAWED >"$state" 2>/dev/null
      done
    done
    ;;
  remove)
    tries=0
    while [ -n "$(groups "$2")" ] && [ "$tries" -lt 100 ]; do
      groups "$2" | while IFS= read -r group; do
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
      done
      [ -z "$(groups "$2")" ] || sleep 0.05
      tries=$((tries + 1))
    done
    ;;
esac
