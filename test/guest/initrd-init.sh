#!/bin/busybox sh
# First process of the guest: inserts what the root disk needs and goes over to it.
/bin/busybox mkdir -p /proc /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod "/modules/$module.ko"; done
/bin/busybox mount -t ext4 -o rw,noatime /dev/vda /root || { echo 'no root disk'; exec /bin/busybox sh; }
/bin/busybox mount --move /dev /root/dev
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /sbin/guest-init
