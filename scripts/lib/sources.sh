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
    local file
    git ls-files -z --cached --others --exclude-standard \
        '*.swift' '*.py' '*.sh' '*.html' '*.md' '*.c' '*.h' 'scripts/*' '.ci/*' |
        while IFS= read -r -d '' file; do
            # What was deleted and is not yet committed is still listed.
            [ ! -f "$file" ] || printf '%s\0' "$file"
        done | xargs -0 awk -v limit="$line_limit" '
            function check() {
                if (lines > limit && file != "Package.swift") {
                    print file " has " lines " lines; at most " limit " are allowed" > "/dev/stderr"
                    wrong = 1
                }
                if (file ~ /\.(swift|py|sh)$|^scripts\// && !licensed) {
                    print file " does not begin with its licence identifier" > "/dev/stderr"
                    wrong = 1
                }
            }
            FNR == 1 {
                if (file != "") check()
                file = FILENAME
                seen[file] = 1
                licensed = 0
            }
            FNR <= 3 && /SPDX-License-Identifier: Apache-2\.0/ { licensed = 1 }
            { lines = FNR }
            END {
                check()
                for (i = 1; i < ARGC; i++) if (!(ARGV[i] in seen)) {
                    print ARGV[i] " is empty" > "/dev/stderr"
                    wrong = 1
                }
                exit wrong
            }'
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
