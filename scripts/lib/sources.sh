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
        # The manifest can't be cut in two.
        if [ "$lines" -gt "$line_limit" ] && [ "$file" != Package.swift ]; then
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

# Words that say less than those of the field, and references to documents that a clone does not hold: CONTRIBUTING.md,
# "Habits", has the rule.
unclear_words='\b(clothes|doubt(s|ed|ful|ing)?|bury|buried|our fault|hears? of|without a word)\b|design §|\(design: '

check_words() {
    if git grep --line-number -I -i -E "$unclear_words" -- . ':!scripts/lib/sources.sh' ':!Fuzz/Corpus' >&2; then
        echo "Name who acts, in the present tense, and say the consequence" >&2
        return 1
    fi
}
