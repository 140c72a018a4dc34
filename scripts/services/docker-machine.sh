#!/bin/sh
# The first process of a Docker Engine's machine, which is a set of namespaces: with this process the kernel ends all
# others in there, containers too. What is in /run goes with it, as with a machine that lost its power.
#   sh docker-machine.sh FILE    FILE appears when the machine can be used

set -e
mount -t tmpfs -o mode=755 run /run
ip link set lo up
touch "$1"
# Shims of containers leave their parents behind; somebody has to ask how they ended.
while :; do
  sleep 3600 &
  wait $! || :
done
