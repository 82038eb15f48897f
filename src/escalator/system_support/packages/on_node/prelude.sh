# Common to every script that runs on the node.
set -u
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
E=/var/lib/escalator
# apt against our repository alone: its own list of sources, its own index, its own cache.
ours() { apt-get -y -q -c "$E/apt/apt.conf" --no-install-recommends --allow-downgrades --allow-change-held-packages "$@" </dev/null; }
# A package whose unpacking was cut off has the wanted version already, for apt: it leaves it in pieces unless told otherwise.
ours_install() {
  if dpkg-query -W -f '${db:Status-Abbrev}|\n' | grep -qE '^(.H|..R)'; then set -- --reinstall "$@"; fi
  ours install "$@"
}
