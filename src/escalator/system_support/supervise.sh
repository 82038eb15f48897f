# supervise.sh FOLDER LIMIT_S KILL_AFTER_S LOCK PLACES COUNT COMMAND...: runs the command once; its folder tells where it
# stands. LOCK is a file that one run at a time holds (one per node); PLACES is a folder of COUNT places that all runs
# share, COUNT 0 for as many as there are.
d=$1 limit=$2 after=$3 lock=$4 places=$5 count=$6; shift 6
# Boot id and process id appear together with the claim, by one rename; a second start of the same operation ends here.
rm -rf "$d/claim.$$"; mkdir "$d/claim.$$" || exit 0
cat /proc/sys/kernel/random/boot_id >"$d/claim.$$/boot"; echo $$ >"$d/claim.$$/pid"
mv -T "$d/claim.$$" "$d/started" 2>/dev/null || { rm -rf "$d/claim.$$"; exit 0; }
exec >>"$d/log" 2>&1 </dev/null # whoever started us knows by the closed pipe that the operation is taken over
finish() {
  echo "$1" >"$d/rc.part"; sync "$d/rc.part" "$d/log" 2>/dev/null
  mv "$d/rc.part" "$d/rc"
  exit 0
}
take() { # a place that is free now; the shell holds it to its end
  n=0
  while [ $n -lt "$count" ]; do
    exec 9>"$places/$n"
    flock -n 9 && return 0
    n=$((n + 1))
  done
  return 1
}
exec 7>"$lock"
flock -n 7 || { echo "waits: another run for this node is under way"; flock 7; }
if [ "$count" -gt 0 ]; then
  exec 8>"$places/queue"
  flock -n 8 || { echo "waits for one of $count places"; flock 8; } # the first of the queue looks, the others sleep
  until take; do sleep 0.2; done
  exec 8>&-
fi
[ -e "$d/withdrawn" ] && { echo "withdrawn before it began"; finish 76; }
timeout --kill-after="$after" "$limit" "$@" 7>&- 9>&-
rc=$?
[ $rc = 124 ] && echo "ended: it ran longer than $limit s"
finish $rc
