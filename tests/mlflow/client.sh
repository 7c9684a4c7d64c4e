#!/bin/sh
# A client made of a shell and curl: logs a run with a file, and finds it again.
set -eu
api="$1/api/2.0/mlflow"

post() { curl --fail-with-body --silent --show-error -H 'content-type: application/json' --data "$2" "$api/$1"; }
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1; }

experiment=$(post experiments/create '{"name": "from a shell"}' | field experiment_id)
run=$(post runs/create "{\"experiment_id\": \"$experiment\", \"start_time\": 1}" | grep -o '"run_id":"[0-9a-f]*"' | head -n 1 | field run_id)
post runs/log-metric "{\"run_id\": \"$run\", \"key\": \"acc\", \"value\": 0.9, \"timestamp\": 1}" >/dev/null
post runs/log-parameter "{\"run_id\": \"$run\", \"key\": \"lr\", \"value\": \"0.1\"}" >/dev/null

file="$1/api/2.0/mlflow-artifacts/artifacts/$experiment/$run/artifacts/note.txt"
printf 'hello' | curl --fail --silent --show-error --upload-file - "$file" >/dev/null
test "$(curl --fail --silent "$file")" = hello

post runs/search "{\"experiment_ids\": [\"$experiment\"], \"filter\": \"metrics.acc > 0.5\"}" | grep -q "$run"
test "$(curl --silent -o /dev/null -w '%{http_code}' "$api/runs/get?run_id=nope")" = 404
echo ok
