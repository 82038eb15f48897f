# The work of a rollback: arguments are the backup's folder name, the digest of its list of sums (- = not known), and the
# names of the packages.
stop_services() {
  for p in "$@"; do
    dpkg-query -L "$p" 2>/dev/null | grep -E '^/etc/init\.d/|/systemd/system/[^/@]*\.service$'
  done | sed 's|.*/||; s|\.service$||' | sort -u | while read -r s; do
    if [ -d /run/systemd/system ]; then systemctl stop "$s.service"; else service "$s" stop; fi </dev/null
  done
}
restore_state() {
  while read -r path; do
    case $path in /?*/?*) rm -rf -- "$path" ;; esac
  done <"$b/paths"
  tar -C / --numeric-owner --acls --xattrs -xpf "$b/state.tar"
}
configure() { # within a time: what hangs when it is configured may be what is to be taken back
  timeout -k 10 300 dpkg --force-confdef --force-confold --configure -a </dev/null
}
back() {
  # State first: the old daemon refuses state that the new one has changed, and the downgrade starts it.
  stop_services "$@"
  restore_state || return 1
  set --
  for deb in $(sed -n 's/^[0-9a-f]\{64\}  \(debs\/.*\.deb\)$/\1/p' "$b/sums"); do set -- "$@" "$b/$deb"; done # none that was put beside them
  for pin in $(cat "$b/pins"); do
    ls "$b/debs/${pin%%=*}_"*.deb >/dev/null 2>&1 || set -- "$@" "$pin"
  done
  for name in $(cat "$b/absent"); do set -- "$@" "$name-"; done
  ours_install "$@"
}
work() {
  # An installer whose time is over may be at work still: its package would be configured over the state that is put back.
  end_others 30
  b=$E/backups/$1 digest=$2; shift 2
  [ -d "$b" ] || { echo "there is no backup $b"; return 1; }
  [ "$digest" = - ] || [ "sha256:$(sha256sum <"$b/sums" | cut -d' ' -f1)" = "$digest" ] || { echo "the backup is damaged"; return 1; }
  (cd "$b" && sha256sum --quiet -c sums) || { echo "the backup is damaged"; return 1; }
  dpkg --set-selections </dev/null # takes over what an interrupted dpkg noted, and configures nothing of it
  back "$@" || { configure; back "$@"; } || return 1
  while read -r s; do
    if [ -d /run/systemd/system ]; then systemctl start "$s.service"; else service "$s" status >/dev/null || service "$s" start; fi </dev/null
  done <"$b/services"
}
