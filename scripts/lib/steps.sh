# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Steps of a check, each with its verdict and its time, and a summary of all at the end.

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

# Prints the summary; fails when a step has failed.
summarize_steps() {
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
