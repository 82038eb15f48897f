# start.sh NAME SCRIPT ARGUMENT...: starts the detached script, unless it was started before.
d=$E/operations/$1; script=$2; name=$1; shift 2
(umask 077; mkdir -p "$d") || exit 1
[ "$(standing "$d")" = unknown ] || exit 0
part=$d/run.sh.part.$$ # another start of the same operation may be at work beside us
printf '%s\n' "$script" >"$part" && sync "$part" && mv "$part" "$d/run.sh" || exit 1
if [ -d /run/systemd/system ]; then
  systemctl reset-failed "escalator-$name.service" 2>/dev/null
  systemd-run --quiet --collect --unit="escalator-$name" /bin/sh "$d/run.sh" "$d" "$@" </dev/null || [ -d "$d/started" ] || exit 1
else
  setsid -f /bin/sh "$d/run.sh" "$d" "$@" </dev/null >/dev/null 2>&1 || exit 1
fi
for wait in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do # a shell's start takes milliseconds
  [ -d "$d/started" ] && exit 0
  sleep 0.1
done
echo "the operation did not start" >&2
exit 1
