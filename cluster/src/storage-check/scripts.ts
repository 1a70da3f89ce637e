/*
 * What the Pods of a check do, by busybox alone. The last line of each goes to the termination message: `ok …`, or what failed.
 * Environment: FILE (in the volume), TOKEN, and for shared volumes NODES.
 */

const HEAD = `set -u
umask 007
b=/bin/busybox
say() { echo "$*" | $b tee /dev/termination-log; }
fail() { say "$*"; exit 3; }
`;

const WRITE = `fault=$({ echo "$TOKEN" >"$FILE"; } 2>&1) || fail "it cannot be written to: $fault"
fault=$($b dd if=/dev/zero of="$FILE.big" bs=65536 count=64 conv=fsync 2>&1) || { $b rm -f "$FILE.big"; fail "it cannot be written to: $fault"; }
$b rm -f "$FILE.big"
`;
const ROOM = '$($b stat -f -c "%b %S" /v)';

/** Writes, and sees to it that it is on the disk. */
export const WRITER = `${HEAD}${WRITE}say "ok ${ROOM}"
`;

/** Reads what another Pod has written. */
export const READER = `${HEAD}found=$({ $b cat "$FILE"; } 2>&1) || fail "what another Pod has written cannot be read: $found"
[ "$found" = "$TOKEN" ] || fail "another Pod has written something else than is read: $found"
$b rm -f "$FILE"
say "ok ${ROOM}"
`;

/** How large the volume is now. */
export const MEASURER = `${HEAD}say "ok ${ROOM}"
`;

/** Writes, and waits until each node has read it and has answered by a file. Takes away what killed checks have left. */
export const SHARED_WRITER = `${HEAD}$b find /v -maxdepth 1 -name '.delos-check-*' -mmin +60 -exec $b rm -f {} + 2>/dev/null
gone() { $b rm -f "$FILE" "$FILE".*; }
trap 'gone; exit 143' TERM
${WRITE}tries=0
while [ "$tries" -lt 600 ]; do
  missing=
  for node in $NODES; do [ "$($b cat "$FILE.$node" 2>/dev/null)" = "$TOKEN" ] || missing="$missing $node"; done
  [ -n "$missing" ] || { gone; say "ok ${ROOM}"; exit 0; }
  tries=$((tries + 1))
  $b sleep 0.2
done
gone
fail "answers of these nodes are not seen:$missing"
`;

/** Reads on its node what the writer has written, and answers. */
export const SHARED_READER = `${HEAD}tries=0
while [ "$tries" -lt 500 ]; do
  $b ls -a /v >/dev/null 2>&1
  if [ -e "$FILE" ]; then
    found=$({ $b cat "$FILE"; } 2>&1) || fail "what another user of the group has written cannot be read: $found"
    if [ "$found" = "$TOKEN" ]; then
      fault=$({ echo "$TOKEN" >"$FILE.$NODE"; } 2>&1) || fail "it cannot be written to: $fault"
      say "ok ${ROOM}"
      exit 0
    fi
  fi
  tries=$((tries + 1))
  $b sleep 0.2
done
fail "what another node has written is not seen"
`;
