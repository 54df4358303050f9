#!/bin/busybox sh
# The guest's first process, in the initramfs: load the modules, mount the host's files, go there.
busybox=/bin/busybox
$busybox mount -t proc proc /proc
$busybox mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
    # No device that no test asked for.
    case $module in
        *-bonding.ko) options=max_bonds=0 ;;
        *-dummy.ko) options=numdummies=0 ;;
        *) options= ;;
    esac
    $busybox insmod "$module" $options || echo "insmod $module failed"
done
$busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 host /root
for folder in proc dev; do
    $busybox mount --move /$folder /root/$folder
done
$busybox mount -t sysfs sys /root/sys
$busybox mount -t tmpfs run /root/run
$busybox cp /tests.sh /root/run/tests.sh
exec $busybox switch_root /root /bin/sh /run/tests.sh
