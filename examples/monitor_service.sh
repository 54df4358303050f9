#!/bin/sh
# monitor_service.sh ADDRESS... - a check for vrrp_script: succeeds while every ADDRESS that this host holds
# answers. A host that holds none of them is a Backup, and passes. Put your service's own test in answers().
set -u

holds() {
    [ -n "$(ip -o addr show to "$1")" ]
}

answers() {
    # The kernel takes packets for it as its own; then, where there is ping, that it really answers.
    case $(ip -o route get "$1" 2>/dev/null) in
        local*) ;;
        *) return 1 ;;
    esac
    if command -v ping >/dev/null; then
        ping -q -c 1 -W 1 "$1" >/dev/null
    fi
}

for address in "$@"; do
    if holds "$address" && ! answers "$address"; then
        echo "monitor_service.sh: this host holds $address, but it does not answer" >&2
        exit 1
    fi
done
