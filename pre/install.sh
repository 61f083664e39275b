#!/usr/bin/env bash
# Usage: pre/install.sh [--check]
#
# Makes this machine ready for `python -m swarm.peer`, on Debian, Ubuntu, Fedora or macOS. It installs what is
# missing, with the system's package manager as root or with Homebrew. If it cannot, it prints the command to run.
# Then it creates .venv/ in the project's folder. It needs no root if Python 3.11, its headers, a C compiler and
# GMP are installed. With --check it installs nothing, and exits with 1 if something is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

only_check=false
case "${1-}" in
'') ;;
--check) only_check=true ;;
*)
    sed -n '2,8p' "pre/$(basename "$0")"
    exit 2
    ;;
esac

find_system() {
    if [[ $(uname) == Darwin ]]; then
        echo macos
    elif command -v apt-get >/dev/null; then
        echo debian
    elif command -v dnf >/dev/null; then
        echo fedora
    else
        echo other
    fi
}

find_python() {
    local candidate
    for candidate in python3.11 python3.12 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

has_header() { # name
    local include prefix=
    include=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
    if command -v brew >/dev/null; then prefix=$(brew --prefix)/include; fi
    printf '#include <%s>\n' "$1" |
        "${CC:-cc}" -E -I "$include" ${prefix:+-I "$prefix"} -xc - -o /dev/null 2>/dev/null
}

# Prints one line for each thing that is missing: its name, a colon, and the system's packages for it.
find_missing() {
    local python
    python=$(find_python)
    if [[ -z $python ]]; then
        echo "Python 3.11 or newer:$(package python)"
        python=python3
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "Python's venv module:$(package venv)"
    fi
    if ! command -v "${CC:-cc}" >/dev/null; then
        echo "a C compiler (one dependency, fastecdsa, is built from source):$(package compiler)"
        echo "GMP and its headers:$(package gmp)"
        echo "Python's headers:$(package headers)"
        return
    fi
    has_header gmp.h || echo "GMP's headers:$(package gmp)"
    has_header Python.h || echo "Python's headers:$(package headers)"
}

package() { # what
    case "$system-$1" in
    debian-python) echo "python3 python3-venv python3-dev" ;;
    debian-venv) echo python3-venv ;;
    debian-compiler) echo "gcc libc6-dev" ;;
    debian-gmp) echo libgmp-dev ;;
    debian-headers) echo python3-dev ;;
    fedora-python) echo "python3 python3-devel" ;;
    fedora-venv) echo python3-libs ;;
    fedora-compiler) echo "gcc glibc-devel" ;;
    fedora-gmp) echo gmp-devel ;;
    fedora-headers) echo python3-devel ;;
    macos-python | macos-venv | macos-headers) echo python@3.12 ;;
    macos-gmp) echo gmp ;;
    # The compiler of Xcode is not a package, and the package names of other systems are not known here.
    *) ;;
    esac
}

system=$(find_system)
missing=$(find_missing)
if [[ -n $missing ]]; then
    echo "Missing:"
    sed 's/:.*//; s/^/  /' <<<"$missing"
    # Each package once, in this order.
    read -ra packages <<<"$(cut -d: -f2 <<<"$missing" | tr ' ' '\n' | awk 'NF && !seen[$0]++' | tr '\n' ' ')"
    case $system in
    debian) install=(apt-get install -y --no-install-recommends "${packages[@]}") ;;
    fedora) install=(dnf install -y "${packages[@]}") ;;
    macos) install=(brew install "${packages[@]}") ;;
    other) install=() ;;
    esac
    if [[ $system == macos ]] && ! command -v cc >/dev/null; then
        echo "Run this command first. It needs no root: xcode-select --install"
        exit 1
    elif ((${#install[@]} == 0)); then
        echo "This is neither Debian, Ubuntu, Fedora nor macOS. Install the above yourself, then run this again."
        exit 1
    elif $only_check; then
        echo "To install it, run: ${install[*]}"
        exit 1
    elif [[ $system == macos ]] && command -v brew >/dev/null; then
        "${install[@]}"
    elif [[ $system != macos ]] && ((EUID == 0)); then
        if [[ $system == debian ]]; then
            export DEBIAN_FRONTEND=noninteractive
            apt-get update -qq
        fi
        "${install[@]}"
    else
        if [[ $system == macos ]]; then
            echo "Homebrew is not installed. Install it, run this command, then run this script again:"
            echo "  brew install ${packages[*]}      (https://brew.sh)"
        else
            echo "Only root can install this. Run this command, then run this script again:"
            echo "  sudo ${install[*]}"
        fi
        exit 1
    fi
    still=$(find_missing)
    if [[ -n $still ]]; then
        echo "Still missing after the installation:"
        sed 's/:.*//; s/^/  /' <<<"$still"
        exit 1
    fi
fi
echo "This machine has everything that peers need."
if ! $only_check; then
    ./run.sh setup
    cat <<'TEXT'

This machine is ready. Start the first peer on one machine:
  .venv/bin/python -m swarm.peer 0.0.0.0 7001 --data mine.npz
Start a peer on every other machine:
  .venv/bin/python -m swarm.peer 0.0.0.0 7001 <first machine's address>:7001 --data mine.npz
TCP port 7001 must be open between all machines.
TEXT
fi
