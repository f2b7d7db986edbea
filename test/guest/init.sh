#!/bin/bash
# The guest's whole user space: devices, network, iscsid, then the job from the second disk. What the job prints goes to the
# second serial port, so that kernel messages stay out of it; the last line there is `@exit CODE`.
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm && mount -t devpts pts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
/lib/systemd/systemd-udevd --daemon
# No `udevadm trigger`: it would look for drivers of the whole machine, 3 s of emulation. What comes from here on is seen.
modprobe -a virtio_net iscsi_tcp sd_mod sg crc32c_generic
udevadm settle
# The kernel is told who this is: `guest=NAME`.
name=$(sed -n 's/.*guest=\([a-z0-9]*\).*/\1/p' /proc/cmdline)
hostname "${name:-guest}"
ip link set lo up
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
mkdir -p /run/lock/iscsi /mnt
echo "InitiatorName=iqn.2025-01.pub.scsipub.test:$(hostname)" > /etc/iscsi/initiatorname.iscsi
iscsid

stty -F /dev/ttyS1 raw -echo

# What a job is written with. step NAME COMMAND… runs a command and reports its output and its exit code.
step() {
  printf '@step %s\n' "$1"
  shift
  "$@" 2>&1
  printf '\n@code %d\n' $?
}
# disk TARGET LUN: the device of a logical unit, once udev has named it; waits up to 10 s.
disk() {
  udevadm settle
  local link
  for _ in $(seq 100); do
    link=$(ls /dev/disk/by-path/*"$1-lun-$2" 2> /dev/null)
    [ -n "$link" ] && { readlink -f "$link"; return; }
    sleep 0.1
  done
  echo "/dev/missing-$1-$2"
}

tr -d '\0' < /dev/vdb > /tmp/job
(. /tmp/job) > /dev/ttyS1 2>&1
printf '\n@exit %d\n' $? > /dev/ttyS1
sync
sleep 0.2
echo o > /proc/sysrq-trigger
sleep 60
