# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What scripts build the tests, and the programs that these start, with.

# test_build ARGUMENT... calls `swift build` without an index and without debug information, which is less work. An editor
# and a debugger want both: so the folder is one of its own, and neither build undoes the other.
test_build() {
    local headers=()
    precompile_headers && headers=(-Xcxx -include-pch -Xcxx "$PWD/.build-tests/headers.pch")
    swift build --scratch-path .build-tests --disable-index-store -debug-info-format none "${headers[@]}" "$@"
}

# precompile_headers reads what two copies of BoringSSL include of the C++ library once: that is more than a third of what it
# takes to compile their five hundred files, which are all the C++ there is. What was made by another compiler, or of
# another library, is made anew. It fails where there is nothing to gain, or where the compiler is none of these.
precompile_headers() {
    local clang file=.build-tests/headers.pch flags
    [ "$(uname -s)" = Linux ] && clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang && [ -x "$clang" ] || return 1
    # As SwiftPM has BoringSSL compiled; other flags would be refused.
    flags=(-std=c++17 -O0 -fblocks -fPIC -fno-omit-frame-pointer -DSWIFT_PACKAGE=1 -DDEBUG=1)
    if [ -e "$file" ] && "$clang" "${flags[@]}" -include-pch "$file" -fsyntax-only -x c++ /dev/null 2>/dev/null; then
        return 0
    fi
    mkdir -p .build-tests
    printf '#include <%s>\n' algorithm array initializer_list iterator limits memory new optional string_view \
        type_traits utility |
        "$clang" "${flags[@]}" -x c++-header - -o "$file" 2>/dev/null
}
