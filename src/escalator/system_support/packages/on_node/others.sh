# Operations of ours that an earlier turn left under way on this node. Work that is to undo theirs would meet them half-way.
others() { # others DO: calls DO FOLDER PID for each
  for other in "$E"/operations/*/started; do
    o=${other%/started}
    [ "$o" != "$d" ] && [ ! -f "$o/rc" ] || continue
    p=$(cat "$other/pid" 2>/dev/null) || continue
    [ "$(cat "$other/boot" 2>/dev/null)" = "$(cat /proc/sys/kernel/random/boot_id)" ] || continue
    tr '\0' '\n' <"/proc/$p/cmdline" 2>/dev/null | grep -qxF "$o" || continue
    "$1" "$o" "$p"
  done
}
named() { echo "${1##*/}"; }
ended() {
  echo "ending ${1##*/}, which was still under way"
  kill_tree "$2"
}
kill_tree() {
  kill -STOP "$1" 2>/dev/null
  for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do kill_tree "$child"; done
  kill -KILL "$1" 2>/dev/null
}
end_others() { # end_others SECONDS: ends what has not ended by itself by then
  left=$1
  while [ "$left" -gt 0 ] && [ -n "$(others named)" ]; do
    [ "$left" != "$1" ] || echo "waiting $1 s at most for $(others named)"
    sleep 1
    left=$((left - 1))
  done
  others ended
}
