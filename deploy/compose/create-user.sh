#!/bin/sh
# Run once, by the image of PostgreSQL, when the database is made: Slotkeeper owns its database and is no superuser.
set -eu
psql --username "$POSTGRES_USER" --dbname postgres --no-psqlrc --set ON_ERROR_STOP=1 \
  --set password="$SLOTKEEPER_DATABASE_PASSWORD" <<'END'
create role slotkeeper login password :'password';
create database slotkeeper owner slotkeeper;
END
