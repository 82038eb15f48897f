# host.sh FOLDER NUMBER ADDRESS INSTANCES: becomes the libvirtd of one host.
# Called in the host's network namespace, with mounts and a host name of its own.
set -e
folder=$1 number=$2 address=$3 instances=$4
hostname "hv$number"
mount --make-rprivate /
mkdir -p "$folder/run" "$folder/lib" "$folder/log" "$folder/cache" "$folder/etc/qemu" "$folder/instances"
cp -n /etc/libvirt/*.conf "$folder/etc/" 2>/dev/null || true
cat > "$folder/etc/qemu.conf" <<X
user = "root"
group = "root"
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
X
cat > "$folder/etc/libvirtd.conf" <<X
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
listen_addr = "$address"
host_uuid = "00000000-0000-4000-8000-00000000000$number"
log_outputs = "3:file:$folder/libvirtd.log"
X
sed '/[[:space:]]hv[0-9]*$/d' /etc/hosts > "$folder/hosts"
printf '%s\n' '10.98.7.1 hv1' '10.98.7.2 hv2' >> "$folder/hosts"
mount --bind "$folder/hosts" /etc/hosts
mount --bind "$folder/etc" /etc/libvirt
mount --bind "$folder/lib" /var/lib/libvirt
mount --bind "$folder/log" /var/log/libvirt
mount --bind "$folder/cache" /var/cache/libvirt
# Two folders under one path: with one folder for both, libvirt would take the disks for shared and refuse to move them.
mount --bind "$folder/instances" "$instances"
mkdir -p "$folder/run/libvirt" "$folder/run/lock"
mount --bind "$folder/run" /run
exec libvirtd --listen
