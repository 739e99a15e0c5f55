#!/bin/sh
# Installs a package into an overlay of this system and boots that: boot.sh FOLDER DEB.
# It is run as root, with every namespace of its own.
set -eu
folder=$1 deb=$2 root=$1/root
mkdir -p "$folder/changes" "$root"
mount -t tmpfs changes "$folder/changes"
mkdir "$folder/changes/upper" "$folder/changes/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/changes/upper,workdir=$folder/changes/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
mount -t tmpfs run "$root/run"
mount -t tmpfs tmp "$root/tmp"
mount -t tmpfs dev "$root/dev"
for name in null zero full random urandom tty; do
	touch "$root/dev/$name"
	mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cp "$deb" "$root/run/package.deb"
chroot "$root" dpkg -i /run/package.deb
cd "$root"
mkdir -p old
pivot_root . old
cd /
umount -l /old
export container=other
exec /lib/systemd/systemd --system --unit=basic.target
