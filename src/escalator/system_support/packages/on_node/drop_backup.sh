# drop_backup.sh NAME: removes a backup; first out of the way by one rename, so that no half of one is ever gone back to.
b=$E/backups/$1
[ -d "$b" ] && { rm -rf "$b.dropped.$$"; mv -T "$b" "$b.dropped.$$" || exit 1; }
for left in "$b".dropped.*; do [ -e "$left" ] && { rm -rf "$left" || exit 1; }; done
exit 0
