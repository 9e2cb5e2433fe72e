# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the scripts need from the machine, and how it gets there.

# Ends the script unless a Swift toolchain that can read Package.swift is there, which is not a Debian package; installs the
# headers that the programs are built with.
require_swift() {
    if ! command -v swift >/dev/null; then
        echo "Swift 6.2 or newer is needed and was not found: https://www.swift.org/install/" >&2
        exit 1
    fi
    install_missing zlib.h=zlib1g-dev hiredis/hiredis.h=libhiredis-dev sqlite3.h=libsqlite3-dev || exit 1
}

# Runs a command as root, by sudo when we are not.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "This needs root, and there is no sudo: $*" >&2
        return 1
    fi
}

# install_missing COMMAND=PACKAGE... installs the Debian package of each command that is not there.
# python3-venv stands for a module, not a command: it counts as there once Python can make an environment; NAME.h stands
# for a header, and NAME.so for a module of nginx.
install_missing() {
    local pair packages=()
    for pair in "$@"; do
        case "${pair%%=*}" in
        python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=("${pair#*=}") ;;
        *.so) [ -e "/usr/lib/nginx/modules/${pair%%=*}" ] || packages+=("${pair#*=}") ;;
        *.h) [ -e "/usr/include/${pair%%=*}" ] || packages+=("${pair#*=}") ;;
        *) command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}") ;;
        esac
    done
    [ "${#packages[@]}" -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "Please install: ${packages[*]} (this script can do so only with apt-get)" >&2
        return 1
    fi
    echo "Installing ${packages[*]}"
    local log
    log=$(mktemp)
    if ! { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# python_environment FOLDER REQUIREMENTS makes a Python environment of what a file names, unless there is one of the same.
python_environment() {
    ! cmp -s "$2" "$1/installed" || return 0
    python3 -m venv --clear "$1" && "$1/bin/pip" install --quiet --requirement "$2" && cp "$2" "$1/installed"
}
