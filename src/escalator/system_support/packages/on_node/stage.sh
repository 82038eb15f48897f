# stage.sh KEY SOURCES CONF PIN...: makes our repository known to this node and fetches the pins. Installs nothing.
put() { printf '%s\n' "$2" >"$1.part.$$" && mv "$1.part.$$" "$1"; }
mkdir -p "$E/apt/lists/partial" "$E/apt/cache/archives/partial" || exit 1
# Staging ahead and the node's own turn may meet here: the second one waits, and finds it done.
# Whoever may open the lock may hold it: nobody else on the node may.
umask 077
exec 9>"$E/stage.lock" && chmod 600 "$E/stage.lock" && umask 022 && flock -w 1500 9 || exit 1
chmod 755 "$E" "$E/apt" || exit 1 # apt fetches as a user of its own
put "$E/apt/escalator.asc" "$1" && put "$E/apt/escalator.sources" "$2" && put "$E/apt/apt.conf" "$3" || exit 1
shift 3
chown _apt "$E/apt/lists/partial" "$E/apt/cache/archives/partial" 2>/dev/null
ours update 2>&1 || exit
ours --download-only install "$@" 2>&1
