#!/usr/bin/env bash
# Usage: pre/debian.sh run|test PYTHON
#
# Installs missing system packages. If it cannot install them, it prints their names.
# A C compiler and the headers of GMP and Python are needed to build one dependency from source (fastecdsa,
# which libp2p uses). The tests also need Chromium, RabbitMQ, and the packages for network namespaces.
set -euo pipefail

purpose=${1:-run}
python=${2:-python3}
missing=()

need() { # package command...
    if ! "${@:2}" >/dev/null 2>&1; then missing+=("$1"); fi
}

has_header() { # name
    printf '#include <%s>\n' "$1" | gcc -E -I "$(python_include)" -xc - -o /dev/null
}

python_include() { "$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])'; }

has_browser() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

has_rabbitmq() { ls /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server; }

has_iptables() { PATH=$PATH:/usr/sbin command -v iptables; }

need gcc command -v gcc
need libc6-dev has_header stdio.h
need libgmp-dev has_header gmp.h
need python3-dev has_header Python.h
need python3-venv "$python" -c 'import ensurepip, venv'
if [[ $purpose == test ]]; then
    need chromium has_browser
    need rabbitmq-server has_rabbitmq
    need iproute2 command -v ip
    need iptables has_iptables
fi

if ((${#missing[@]} == 0)); then
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "These packages are missing, and this system has no apt-get to install them (names as in Debian):"
    echo "  ${missing[*]}"
    echo "The setup continues without them."
elif ((EUID != 0)); then
    echo "System packages are missing, and only root can install them. The setup continues without them."
    echo "If it fails, run this command, then try again:"
    echo "  sudo apt-get install --no-install-recommends ${missing[*]}"
else
    printf '\n==> Installing system packages: %s\n' "${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # The lock keeps engine.sh from installing at the same time: apt-get update does not wait for another one.
    flock /run/lock/swarm-apt apt-get update -qq
    flock /run/lock/swarm-apt apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
