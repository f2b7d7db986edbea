#!/bin/sh
# Builds the Linux guest of the interop tests from Debian's packages alone: DIR/vmlinux, DIR/initrd.gz and DIR/root.img.
# About 100 s. Needs root (debootstrap changes root) and Debian's archive; called by guest-image.ts, which keeps the result.
#
#   build.sh DIR [PACKAGES]        DIR exists and is empty; further packages, with commas between them
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
[ "$(id -u)" = 0 ] || { echo 'building the guest needs root: debootstrap changes root' >&2; exit 1; }

release=bookworm
packages=open-iscsi,sg3-utils,sdparm,fio,kmod,iproute2,udev,procps,e2fsprogs,lsscsi,util-linux,multipath-tools${2:+,$2}
# What the fence agents need of Python. Their own package also asks for the libraries of many clouds: of it, these two agents alone are taken.
agents=python3-minimal,python3,python3-pexpect,python3-pycurl

# The kernel: the package that linux-image-amd64 stands for.
image=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
[ -n "$image" ] || { echo 'no linux-image-amd64 in the package lists: run apt-get update' >&2; exit 1; }
mkdir kernel
(cd kernel && apt-get download "$image" && dpkg -x ./*.deb .)
version=$(ls kernel/lib/modules)
# Unpacked here, once: the emulated machine would do it at each start, in 3 s.
packed="kernel/boot/vmlinuz-$version"
begin=$(LC_ALL=C grep -aboP -m 1 '\xfd7zXZ\x00' "$packed" | head -n 1 | cut -d : -f 1)
[ -n "$begin" ] || { echo "$packed holds no xz stream: Debian packs its kernel in another way now" >&2; exit 1; }
tail -c "+$((begin + 1))" "$packed" | xz -dc --single-stream > vmlinux

# The initial file system: busybox and what it takes to mount the root disk, in the order of insertion.
mkdir -p initrd/bin initrd/modules initrd/root
cp /bin/busybox initrd/bin/
cp "$here/initrd-init.sh" initrd/init
chmod +x initrd/init
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk crc16 crc32c_generic libcrc32c \
  mbcache jbd2 ext4; do
  file=$(find kernel/lib/modules -name "$module.ko" | head -n 1)
  if [ -n "$file" ]; then
    cp "$file" initrd/modules/
    echo "$module" >> initrd/modules/order
  fi
done
(cd initrd && find . | cpio -o -H newc --quiet | gzip -1 > ../initrd.gz)

# The root file system, with the modules but for those of hardware that no guest has.
debootstrap --variant=minbase --include="$packages,$agents" "$release" root
mkdir agents
(cd agents && apt-get download fence-agents && dpkg -x ./*.deb .)
mkdir -p root/usr/share/fence
cp agents/usr/sbin/fence_scsi agents/usr/sbin/fence_mpath root/usr/sbin/
cp agents/usr/share/fence/fencing.py root/usr/share/fence/
cp "$here/init.sh" root/sbin/guest-init
chmod +x root/sbin/guest-init
mkdir -p root/lib/modules
cp -a "kernel/lib/modules/$version" root/lib/modules/
for unused in drivers/gpu drivers/media drivers/infiniband drivers/net/ethernet drivers/net/wireless drivers/staging drivers/iio \
  drivers/hwmon drivers/input drivers/isdn drivers/bluetooth sound net/bluetooth net/mac80211; do
  rm -rf "root/lib/modules/$version/kernel/$unused"
done
chroot root depmod "$version"
rm -rf root/var/cache/apt/archives/*.deb root/var/lib/apt/lists/* root/usr/share/doc root/usr/share/man root/usr/share/locale
mke2fs -q -t ext4 -d root root.img 1500M

rm -rf kernel initrd root agents
