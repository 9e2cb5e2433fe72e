# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Programs that a script starts, watches and takes down with itself, so that none outlives it.

process_names=()
process_ids=()
process_folder=

# Makes the folder for the programs' output, and arranges for all of them to be stopped however the script ends.
watch_processes() {
    process_folder=$(mktemp -d)
    trap stop_processes EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# start_process NAME COMMAND... starts a program in the background; its output goes to files named for it.
start_process() {
    local name=$1
    shift
    : >"$process_folder/$name.out"
    "$@" >>"$process_folder/$name.out" 2>"$process_folder/$name.log" </dev/null &
    process_names+=("$name")
    process_ids+=("$!")
}

# Prints the standard output of a started program.
process_output() {
    cat "$process_folder/$1.out"
}

# Succeeds while every started program runs; else says which ended, with its last words.
processes_run() {
    local index
    for index in "${!process_ids[@]}"; do
        if ! kill -0 "${process_ids[index]}" 2>/dev/null; then
            echo "The ${process_names[index]} has ended. Its last words:" >&2
            tail -n 20 "$process_folder/${process_names[index]}.out" "$process_folder/${process_names[index]}.log" >&2
            return 1
        fi
    done
}

# Prints what every program last said, for when something is wrong and it is not known whose fault it is.
show_process_logs() {
    local name
    for name in "${process_names[@]}"; do
        echo "--- $name" >&2
        tail -n 20 "$process_folder/$name.out" "$process_folder/$name.log" >&2
    done
}

# Stops the programs, the last one first. One that takes longer than five seconds is killed.
stop_processes() {
    # Whatever fails here, the rest is still to be stopped.
    set +e
    trap - EXIT
    trap '' INT TERM HUP
    local index attempt
    for ((index = ${#process_ids[@]} - 1; index >= 0; index--)); do
        kill -TERM "${process_ids[index]}" 2>/dev/null || continue
        for ((attempt = 0; attempt < 50; attempt++)); do
            kill -0 "${process_ids[index]}" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "${process_ids[index]}" 2>/dev/null
        wait "${process_ids[index]}" 2>/dev/null
    done
    process_ids=()
    [ -z "$process_folder" ] || rm -rf "$process_folder"
}
