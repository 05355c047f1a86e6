#!/bin/sh
# Installs (or removes) a weekly check of the baselines for the user who calls it, by systemd.
#
#   schedule/install.sh install|remove
#
# DRY_RUN=1 prints what would be done and changes nothing. PYTHON names another Python than that of .venv.
set -eu

name=backpropagation-reproduce
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
python=${PYTHON:-$root/.venv/bin/python}
units=${XDG_CONFIG_HOME:-${HOME:-}/.config}/systemd/user
dry=${DRY_RUN:-}
[ "$dry" != 0 ] || dry=

refuse() {
    echo "schedule: $*" >&2
    exit 2
}

# Prints a command; carries it out unless this is a dry run.
run() {
    echo "+ $*"
    [ -n "$dry" ] || "$@"
}

fill_in() {
    sed -e "s|@ROOT@|$root|g" -e "s|@PYTHON@|$python|g" "$here/$1"
}

cron() {
    echo "Or, by cron instead (crontab -e), in one line:"
    echo "@weekly cd \"$root\" && \"$python\" -m pipeline.reproduce"
}

case ${1:-} in
    install | remove) ;;
    *) refuse "${1:-no word}: must be install or remove" ;;
esac
case $root$python in
    *[!A-Za-z0-9/._+,:@\ -]*) refuse "$root or $python: units can't name such a path; letters, digits, blanks and / . _ + , : @ - can be" ;;
esac
case $units in
    /*/systemd/user) ;;
    *) refuse "XDG_CONFIG_HOME=${XDG_CONFIG_HOME:-}: must be an absolute path, or HOME must be set" ;;
esac

if [ -z "$dry" ]; then
    [ "$(id -u)" != 0 ] || refuse "is for a user, not for root; DRY_RUN=1 shows what it would do"
    command -v systemctl >/dev/null || refuse "systemctl is not here; by cron: @weekly cd \"$root\" && \"$python\" -m pipeline.reproduce"
    systemctl --user show-environment >/dev/null 2>&1 || refuse "systemd does not run for this user (log in on the machine itself, not by su)"
fi

if [ "$1" = install ]; then
    if [ -z "$dry" ] && [ ! -x "$python" ]; then
        refuse "$python is not there; make setup makes it"
    fi
    run mkdir -p "$units"
    for unit in "$name.service" "$name.timer"; do
        echo "+ write $units/$unit:"
        fill_in "$unit" | sed 's/^/    /'
        [ -n "$dry" ] || fill_in "$unit" >"$units/$unit"
    done
    run systemctl --user daemon-reload
    run systemctl --user enable --now "$name.timer"
    echo
    echo "Its output: journalctl --user -u $name; a failing check: systemctl --user --failed"
    echo "To have it run while you are not logged in: loginctl enable-linger"
    cron
else
    if [ -n "$dry" ] || [ -e "$units/$name.timer" ]; then
        run systemctl --user disable --now "$name.timer"
    fi
    run rm -f "$units/$name.service" "$units/$name.timer"
    run systemctl --user daemon-reload
fi
[ -z "$dry" ] || echo "DRY_RUN: nothing was changed"
