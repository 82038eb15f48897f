# standing FOLDER: prints where the operation stands: unknown, running, lost, or its exit code.
standing() {
  [ -d "$1/started" ] || { echo unknown; return; }
  for look in 1 2; do # the exit code may appear while we look for the process
    [ -f "$1/rc" ] && { cat "$1/rc"; return; }
    [ $look = 1 ] && [ "$(cat "$1/started/boot")" = "$(cat /proc/sys/kernel/random/boot_id)" ] &&
      tr '\0' '\n' <"/proc/$(cat "$1/started/pid")/cmdline" 2>/dev/null | grep -qxF "$1" && { echo running; return; }
  done
  echo lost
}
