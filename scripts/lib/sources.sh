# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks of the sources that need no build.

line_limit=500

check_format() {
    git ls-files -z --cached --others --exclude-standard '*.swift' |
        xargs -0 swift format lint --strict --parallel
}

# Data, the licence and generated documents may be long; what people edit may not.
check_files() {
    local file lines wrong=0
    while IFS= read -r -d '' file; do
        [ -f "$file" ] || continue
        lines=$(wc -l <"$file")
        if [ "$lines" -gt "$line_limit" ]; then
            echo "$file has $lines lines; at most $line_limit are allowed" >&2
            wrong=1
        fi
        case "$file" in
        *.swift | *.py | *.sh | scripts/*)
            if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0'; then
                echo "$file does not begin with its licence identifier" >&2
                wrong=1
            fi
            ;;
        esac
    done < <(git ls-files -z --cached --others --exclude-standard \
        '*.swift' '*.py' '*.sh' '*.html' '*.md' '*.c' '*.h' 'scripts/*' '.ci/*')
    return "$wrong"
}

check_shell() {
    git ls-files -z --cached --others --exclude-standard 'scripts/*' '.ci/*' 'Fuzz/run' 'Fuzz/make-seeds' '*.sh' |
        xargs -0 grep -lZE '^#!.*(ba)?sh$|^# shellcheck shell=bash$' |
        xargs -0 shellcheck --external-sources
}
