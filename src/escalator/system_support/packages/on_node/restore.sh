# The work of a restore: as a rollback's, whatever state the node was left in. Its functions follow those of rollback.sh.
work() {
  end_others 0
  b=$E/backups/$1 digest=$2; shift 2
  [ -d "$b" ] || { echo "there is no backup $b"; return 1; }
  [ "$digest" = - ] || [ "sha256:$(sha256sum <"$b/sums" | cut -d' ' -f1)" = "$digest" ] || { echo "the backup is damaged"; return 1; }
  (cd "$b" && sha256sum --quiet -c sums) || { echo "the backup is damaged"; return 1; }
  dpkg --set-selections </dev/null # as for a rollback: nothing that hangs is configured before the old packages are there
  if ! back "$@" && { configure; ! back "$@"; }; then
    # Packages that apt finds in each other's way: the old ones are put over whatever is there.
    stop_services "$@"
    restore_state || return 1
    set --
    for deb in $(sed -n 's/^[0-9a-f]\{64\}  \(debs\/.*\.deb\)$/\1/p' "$b/sums"); do set -- "$@" "$b/$deb"; done
    [ $# -gt 0 ] || return 1
    dpkg --force-all --force-confdef --force-confold -i "$@" || return 1
    for name in $(cat "$b/absent"); do dpkg --force-all --purge "$name"; done
  fi
  while read -r s; do
    if [ -d /run/systemd/system ]; then systemctl start "$s.service"; else service "$s" status >/dev/null || service "$s" start; fi </dev/null
  done <"$b/services"
}
