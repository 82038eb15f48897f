# detached.sh FOLDER ARGUMENT...: does the work once, whoever is connected. Its folder tells where it stands.
d=$1; shift
# Boot id and process id appear together with the claim, by one rename; a second start of the same operation ends here.
rm -rf "$d/claim.$$"; mkdir "$d/claim.$$" || exit 0
cat /proc/sys/kernel/random/boot_id >"$d/claim.$$/boot"; echo $$ >"$d/claim.$$/pid"
mv -T "$d/claim.$$" "$d/started" 2>/dev/null || { rm -rf "$d/claim.$$"; exit 0; }
work "$@" >>"$d/log" 2>&1 </dev/null
rc=$?
if [ $rc != 0 ] && grep -qE 'Could not get lock|Unable to (acquire|lock)' "$d/log"; then rc=75; fi
echo $rc >"$d/rc.part"; sync "$d/rc.part" "$d/log" 2>/dev/null
mv "$d/rc.part" "$d/rc"
