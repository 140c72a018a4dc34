#!/bin/sh
# Makes what compose.yaml keeps secret, each at random and only where it is missing, so that it may be called again.
#   sh deploy/make-secrets.sh [FOLDER]
#
# The files can be read by all, since a container sees them with owner and mode of this machine and its user is another one;
# the folder can be entered by its owner alone, which keeps everybody else on this machine out.

set -eu
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"
umask 022

random() {
  head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

# keep NAME TEXT
keep() {
  if [ -e "$folder/$1" ]; then return; fi
  printf '%s' "$2" >"$folder/$1.new"
  mv "$folder/$1.new" "$folder/$1"
  echo "made $folder/$1"
}

for name in admin-key postgres-root-password postgres-password s3-secret-key minio-root-password \
  redis-password rabbitmq-password grafana-password; do
  keep "$name" "$(random)"
done
keep s3-access-key modelgate
keep redis.conf "requirepass $(cat "$folder/redis-password")
save \"\"
maxmemory 384mb
maxmemory-policy noeviction
"
keep rabbitmq.conf "default_user = modelgate
default_pass = $(cat "$folder/rabbitmq-password")
"
