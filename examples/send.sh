#!/bin/sh
# Send ten seconds of a casting well that loses its water to a node on this machine, by curl alone:
# one signed frame a second, as docs/formats/frame.md says. Needs curl and OpenSSL 3.
set -eu
SERVER=${1:-http://127.0.0.1:8701}
SECRET='change this long random text'
NOW=$(($(date +%s) * 1000 - 10000))
EPOCH=$(printf '%012x-%s' "$NOW" "$(openssl rand -hex 8)")
FRAME=$(mktemp)
trap 'rm -f "$FRAME"' EXIT
for SEQ in 1 2 3 4 5 6 7 8 9 10; do
  AT=$((NOW + SEQ * 1000))
  if [ "$SEQ" -lt 4 ]; then FLOW=180; else FLOW=20; fi
  printf '{"v":1,"gateway":"gw-1","epoch":"%s","seq":%s,"mark":"real","complete_from":%s,"complete_to":%s,"rows":[["well-1/phase",%s,3],["well-1/mould_flow",%s,%s],["well-1/drain_open",%s,0]]}' \
    "$EPOCH" "$SEQ" $((AT - 1000)) "$AT" "$AT" "$AT" "$FLOW" "$AT" >"$FRAME"
  SIGNATURE=$(openssl dgst -sm3 -hmac "$SECRET" -r "$FRAME" | cut -d' ' -f1)
  curl --silent --show-error --fail --max-time 10 "$SERVER/v1/frames" \
    --header 'Meltwatch-Key: k1' --header "Meltwatch-Signature: $SIGNATURE" --data-binary "@$FRAME"
  echo
done
