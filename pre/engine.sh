#!/usr/bin/env bash
# Usage: pre/engine.sh start FOLDER   installs a Docker engine from Debian's packages if none is installed; starts it
#        pre/engine.sh begin FOLDER   does the same in the background, and writes its output to FOLDER/start.log
#        pre/engine.sh await FOLDER   waits until `begin` has finished, prints its output, and fails if it failed
#        pre/engine.sh stop FOLDER    stops the engine and removes its files
#
# The engine keeps all its files in FOLDER. Source FOLDER/environment to reach it. If no registry answers and
# SWARM_MAKE_BASE_IMAGE names a script, that script makes a stand-in for the base image (arguments: ROOT TAG).
# It needs root and apt-get. Without them, it says what is missing and fails.
set -euo pipefail

base=python:3.11-slim-bookworm
packages=(docker.io docker-compose iptables iproute2)

# Whether a process was started for a folder: the system may have given its number to another process since.
is_of() { # pid folder
    [[ $1 =~ ^[0-9]+$ ]] && (($1 > 1)) && tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF "$2"
}

say() { printf '\n==> %s\n' "$*"; }

fail() {
    echo "no engine: $*" >&2
    exit 1
}

install_engine() {
    local -a missing=()
    local package
    for package in "${packages[@]}" "$@"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    if ((${#missing[@]} == 0)); then return; fi
    say "Installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # The package would start an engine as a service, which this script could not stop again.
    local policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    # Our own lock: run.sh may be installing packages at the same time, and apt-get update does not wait.
    flock /run/lock/swarm-apt sh -c 'apt-get update -qq &&
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null' sh "${missing[@]}" ||
        fail "apt-get could not install ${missing[*]}"
}

start_engine() { # folder
    say "Starting a Docker engine in $1"
    # This MTU also fits through tunnels. The client of the same package includes BuildKit.
    setsid dockerd --data-root "$1/data" --exec-root "$1/run" --pidfile "$1/dockerd.pid" \
        --host "unix://$1/docker.sock" --mtu 1400 >"$1/dockerd.log" 2>&1 </dev/null &
    local _
    for _ in $(seq 100); do
        if /usr/bin/docker version >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    tail -n 5 "$1/dockerd.log" >&2
    fail "dockerd does not answer; its last log lines are above"
}

# Pulls the base image from a registry, or makes its stand-in under another name.
have_base() { # folder
    if timeout 120 /usr/bin/docker pull -q "$base" >/dev/null 2>"$1/pull.log"; then return; fi
    [[ -f ${SWARM_MAKE_BASE_IMAGE-} ]] || fail "no registry answers ($(tail -n 1 "$1/pull.log"))"
    say "No registry answers, so a stand-in for $base is made with debootstrap"
    install_engine debootstrap
    bash "$SWARM_MAKE_BASE_IMAGE" "$1/root" "local/$base" >"$1/base.log" 2>&1 || {
        tail -n 5 "$1/base.log" >&2
        fail "the stand-in could not be made"
    }
    echo "export SWARM_BASE_IMAGE=local/$base" >>"$1/environment"
}

case "${1-}" in
start)
    folder=$(realpath "${2:?folder}")
    ((EUID == 0)) || fail "only root can install and start one"
    command -v apt-get >/dev/null || fail "this system has no apt-get, so it is not Debian or Ubuntu"
    install_engine
    printf 'export DOCKER_HOST=unix://%s/docker.sock\n' "$folder" >"$folder/environment"
    export DOCKER_HOST=unix://$folder/docker.sock
    start_engine "$folder"
    have_base "$folder"
    ;;
begin)
    folder=$(realpath "${2:?folder}")
    # shellcheck disable=SC2016 # expanded by the inner shell
    setsid bash -c '"$0" start "$1" >"$1/start.log" 2>&1; echo $? >"$1/status.new"; mv "$1/status.new" "$1/status"' \
        "$0" "$folder" </dev/null >/dev/null 2>&1 &
    echo $! >"$folder/start.pid"
    ;;
await)
    folder=$(realpath "${2:?folder}")
    begun=$(cat "$folder/start.pid")
    while [[ ! -f $folder/status ]] && is_of "$begun" "$folder"; do sleep 0.3; done
    sleep 0.1
    cat "$folder/start.log"
    [[ -f $folder/status ]] || fail "its start was interrupted"
    exit "$(cat "$folder/status")"
    ;;
stop)
    folder=$(realpath "${2:?folder}")
    if [[ -f $folder/start.pid && ! -f $folder/status ]]; then
        pid=$(cat "$folder/start.pid")
        if is_of "$pid" "$folder"; then kill -- "-$pid" 2>/dev/null || true; fi
    fi
    if [[ -f $folder/dockerd.pid ]]; then
        pid=$(cat "$folder/dockerd.pid")
        if is_of "$pid" "$folder"; then kill "$pid" 2>/dev/null || true; fi
        for _ in $(seq 150); do
            is_of "$pid" "$folder" || break
            sleep 0.2
        done
    fi
    echo "The engine has stopped. Removing its files in $folder"
    rm -rf "$folder"
    ;;
*)
    sed -n '2,9p' "$0" >&2
    exit 2
    ;;
esac
