# Runs a program as root in a disposable copy of this machine, with separate files, processes and network. Needs the
# namespaces of `unshare --mount --net --pid --fork`, a folder to mount on, a program, and the files that are its
# arguments.
set -euo pipefail
place=$1 program=$2
shift 2
root=$place/root
mount -t tmpfs none "$place"
mkdir "$place/changes" "$place/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/changes,workdir=$place/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
# Neither systemd nor other services of the machine are reachable.
mount -t tmpfs none "$root/run"
mount -t tmpfs -o mode=1777 none "$root/tmp"
ip link set lo up
arguments=()
for file; do
    cp "$file" "$root/run/"
    arguments+=("/run/${file##*/}")
done
exec chroot "$root" env --ignore-environment PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    "$program" "${arguments[@]}"
