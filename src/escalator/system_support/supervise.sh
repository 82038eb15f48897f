# supervise.sh FOLDER LIMIT_S KILL_AFTER_S COMMAND...: runs the command once; its folder tells where it stands.
d=$1 limit=$2 after=$3; shift 3
# Boot id and process id appear together with the claim, by one rename; a second start of the same operation ends here.
rm -rf "$d/claim.$$"; mkdir "$d/claim.$$" || exit 0
cat /proc/sys/kernel/random/boot_id >"$d/claim.$$/boot"; echo $$ >"$d/claim.$$/pid"
mv -T "$d/claim.$$" "$d/started" 2>/dev/null || { rm -rf "$d/claim.$$"; exit 0; }
exec >/dev/null # whoever started us knows now that the operation is taken over
timeout --kill-after="$after" "$limit" "$@" >>"$d/log" 2>&1 </dev/null
rc=$?
[ $rc = 124 ] && echo "ended: it ran longer than $limit s" >>"$d/log"
echo $rc >"$d/rc.part"; sync "$d/rc.part" "$d/log" 2>/dev/null
mv "$d/rc.part" "$d/rc"
