# shellcheck shell=sh
# For the tests beside it: services with systemd or without, and a wait that ends.
set -eu

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# wait_for WHAT COMMAND...: at most 30 s.
wait_for() {
    what=$1
    shift
    for _ in $(seq 150); do
        if "$@" >/dev/null 2>&1; then
            return 0
        fi
        sleep 0.2
    done
    fail "no $what"
}

# begin NAME: the service of that name, as an admin of this machine would start it.
begin() {
    if [ -d /run/systemd/system ]; then
        systemctl restart "$1"
        return
    fi
    systemd-tmpfiles --create || true
    case $1 in
    tollgated) (tollgated -f 2>>/tmp/tollgated.log) & ;;
    tollgate-web)
        mkdir -p /run/tollgate-web
        (tollgate-web -f 2>>/tmp/web.log) &
        ;;
    postfix) postfix start ;;
    esac
}

end() {
    if [ -d /run/systemd/system ]; then
        systemctl stop "$1"
    else
        pkill -TERM -x "$1" || true
        wait_for "end of $1" sh -c "! pgrep -x $1"
    fi
}

listens() {
    [ -S /var/spool/postfix/tollgate/milter.sock ]
}
