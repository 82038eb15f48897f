# host.sh FOLDER COMMAND...: runs the command where the deployment host's own paths are those of FOLDER, for it alone.
set -e
d=$1; shift
for place in opt etc; do
  mkdir -p "$d/scratch/$place"
  mount -t overlay overlay -o "lowerdir=/$place,upperdir=$d/$place,workdir=$d/scratch/$place" "/$place"
done
exec "$@"
