#!/bin/sh
# Run once by PostgreSQL's image in an empty directory: a user for Modelgate who owns its database and nothing else.
set -eu
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --set=password="$(cat /run/secrets/postgres-password)" \
  --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE modelgate LOGIN PASSWORD :'password';
CREATE DATABASE modelgate OWNER modelgate;
REVOKE ALL ON DATABASE modelgate FROM PUBLIC;
SQL
