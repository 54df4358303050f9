#!/bin/busybox sh
# The guest's first process, in the initramfs: load the modules, mount the files, go there.
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
# The machine's own files or those of a system: mounted on /root.
. /mount.sh
for folder in proc dev; do
    $busybox mount --move /$folder /root/$folder
done
$busybox mount -t sysfs sys /root/sys
$busybox mount -t tmpfs run /root/run
$busybox cp /tests.sh /root/run/tests.sh
exec $busybox switch_root /root $($busybox cat /start)
