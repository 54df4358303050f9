#!/bin/sh
# notify.sh STATE - called by the daemon when the group changes its state; writes who changed and when.
# One line per call, newest last: tail -f /run/vrrp-notify.log
set -eu
log=${VRRP_NOTIFY_LOG:-/run/vrrp-notify.log}
echo "$(date '+%Y-%m-%d %H:%M:%S.%3N') $(hostname) ${1:-?}" >>"$log"
