#!/bin/sh
# Tries limits (bench.results.limits) in a virtual machine with control groups of version 2.
#
# Run as root, with qemu-system-x86_64 installed, as: guest.sh KERNEL BUSYBOX NAME.json
# KERNEL is an unpacked package of a Linux kernel, with boot/vmlinuz-* and lib/modules/*; BUSYBOX is
# a static one. The guest is emulated, so that it needs no KVM, and has two cores of two threads,
# which QEMU tells of an Intel CPU alone. It sees this machine's files; what it writes stays in its
# memory, but for the results. The exit code is 1 where something was not as expected.
set -eu
kernel=$(realpath "$1") busybox=$(realpath "$2") results=$(realpath "$3")
tree=$(realpath "$(dirname "$0")/../../..") python=${PYTHON:-.venv/bin/python}
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
root=$work/root out=$work/out version=$(ls "$kernel/lib/modules")
mkdir -p "$out" "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/lower" "$root/upper" \
    "$root/new" "$root/out" "$root/lib/modules/$version"
cp "$busybox" "$root/bin/busybox"
cd "$kernel/lib/modules/$version"
for part in kernel/net/9p kernel/fs/9p kernel/fs/netfs kernel/fs/fscache kernel/fs/overlayfs \
    kernel/drivers/virtio; do
    cp -r --parents "$part" "$root/lib/modules/$version"
done
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount -t tmpfs upper /upper
depmod
for module in virtio_pci 9pnet_virtio 9p overlay; do modprobe $module; done
shared=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o ro,$shared,cache=loose root /lower
mount -t 9p -o $shared out /out
mkdir /upper/files /upper/work /dev/shm
mount -t tmpfs shm /dev/shm
mount -t cgroup2 groups /sys/fs/cgroup
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work root /new
for each in proc sys dev; do mount --rbind /$each /new/$each; done
ip link set lo up
cp /command /new/command; chroot /new /bin/sh /command
cp /upper/files/limits.* /out
poweroff -f
INIT
cat >"$root/command" <<COMMAND
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cd '$tree' && '$python' -m bench.results.limits /limits.json
COMMAND
chmod +x "$root/init"
cd "$root"
find . | "$busybox" cpio -o -H newc >"$work/initramfs"
qemu-system-x86_64 -accel tcg,thread=multi -cpu max,vendor=GenuineIntel -smp 4,cores=2,threads=2 \
    -m 6G -net none -nographic -no-reboot \
    -kernel "$kernel"/boot/vmlinuz-* -initrd "$work/initramfs" \
    -append "console=ttyS0 quiet panic=-1" \
    -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
    -virtfs "local,path=$out,mount_tag=out,security_model=none" </dev/null
cp "$out/limits.json" "$results"
cp "$out/limits.md" "${results%.json}.md"
if grep "NOT AS EXPECTED" "$results"; then exit 1; fi
