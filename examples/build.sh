#!/bin/sh
# Appends each line that a command prints to a Redis Stream, as an application does that knows nothing of weir:
#
#   examples/build.sh build:7 make -j4
#
# A gateway follows the stream, and log.html?channel=build:7 shows it, from its first line, whenever it is opened:
#
#   [[channel]]
#   match = "build:*"
#   source = "stream"
#   stream-field = "line"
#
# REDIS_URL is the Redis, redis://127.0.0.1:6379 if it is not set.
set -eu
stream=$1
shift
redis() { redis-cli -e -u "${REDIS_URL:-redis://127.0.0.1:6379}" "$@" >/dev/null; }

"$@" 2>&1 | while IFS= read -r line || [ -n "$line" ]; do
  redis XADD "$stream" MAXLEN '~' 10000 '*' line "$line"
done
# The end of the channel, which closes its streams.
redis XADD "$stream" '*' line '{"type":"weir:end"}'
redis EXPIRE "$stream" 86400
