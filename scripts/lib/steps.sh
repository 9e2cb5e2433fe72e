# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Steps of a check, each with its verdict and its time, and a summary of all at the end.

# What failed is said once more at the end, after a long log's thousands of lines. A script that calls others which have
# steps of their own hands this file on to them.
step_failures_file=
[ -n "${STEP_FAILURES:-}" ] || step_failures_file=$(mktemp)
export STEP_FAILURES=${STEP_FAILURES:-$step_failures_file}

step_lines=()
steps_passed=0
steps_failed=0

# step TITLE COMMAND... runs a command and goes on whether it succeeds or not.
step() {
    local title=$1 start=$SECONDS verdict
    shift
    printf '\n== %s\n' "$title"
    if "$@"; then
        verdict="ok  "
        steps_passed=$((steps_passed + 1))
    else
        verdict="FAIL"
        steps_failed=$((steps_failed + 1))
    fi
    step_lines+=("$(printf '  %s %5ds  %s' "$verdict" $((SECONDS - start)) "$title")")
}

# keep_failures NAME LOG keeps what LOG tells of failures, and its end, for the summary. The end always, since a tool that
# says of itself what it can do has lines that look like a failure.
keep_failures() {
    local lines
    # What an issue says of itself follows in lines of its own.
    lines=$(grep -aE -A 3 '✘|error:|Fatal error|AddressSanitizer' "$2" | grep -avE '✘.* (Suite|Test run) |^--$' |
        awk '!seen[$0]++' | head -n 40)
    {
        printf '%s:\n' "$1"
        [ -z "$lines" ] || printf '%s\n  ... and its end:\n' "$lines"
        tail -n 15 "$2"
    } | cut -c 1-600 >>"$STEP_FAILURES"
}

# kept NAME COMMAND... runs a command and keeps what it tells of failures. The script that calls it has set pipefail.
kept() {
    local log status=0
    log=$(mktemp)
    "${@:2}" 2>&1 | tee "$log" || status=1
    [ "$status" -eq 0 ] || keep_failures "$1" "$log"
    rm -f "$log"
    return "$status"
}

# Prints what failed and the summary; fails when a step has failed.
summarize_steps() {
    if [ -s "$STEP_FAILURES" ]; then
        printf '\n== What failed\n'
        cat "$STEP_FAILURES"
    fi
    [ -z "$step_failures_file" ] || rm -f "$step_failures_file"
    printf '\n== Summary\n'
    printf '%s\n' "${step_lines[@]}"
    printf 'steps: %d passed, %d failed\n' "$steps_passed" "$steps_failed"
    [ "$steps_failed" -eq 0 ]
}

# slowest_tests LOG prints which tests of a run of `swift test` took longest.
slowest_tests() {
    echo "Slowest:"
    grep -aE 'Test [^ ].* (passed|failed) after [0-9.]+ seconds' "$1" | grep -avE 'Test (case|run) ' |
        sed -E 's/^.*Test (.*) (passed|failed) after ([0-9.]+) seconds.*/\3 s  \1/' | sort -rn | head -n 8 | sed 's/^/  /'
}
