// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Program

@Suite("Memory that is given back")
struct ProgramMemoryTests {
    @Test("Only the program's own code is let go, never what could be written once")
    func ranges() {
        let maps = """
            55d000000000-55d000001000 r--p 00000000 08:01 17    /usr/bin/a program
            55d000001000-55d000003000 r-xp 00001000 08:01 17    /usr/bin/a program
            55d000003000-55d000004000 r--p 00003000 08:01 17    /usr/bin/a program
            55d000004000-55d000005000 rw-p 00004000 08:01 17    /usr/bin/a program
            55d000006000-55d000007000 rwxp 00000000 08:01 17    /usr/bin/a program
            7f0000000000-7f0000001000 r-xp 00000000 08:01 18    /usr/bin/another program
            7f0000002000-7f0000003000 r-xp 00000000 00:00 0     [vdso]
            7f0000004000-7f0000005000 rw-p 00000000 00:00 0
            zz-1 r-xp 00000000 08:01 17    /usr/bin/a program
            2-1 r-xp 00000000 08:01 17    /usr/bin/a program
            """
        #expect(
            ProgramMemory.codeRanges(of: "/usr/bin/a program", in: maps) == [0x55d0_0000_1000..<0x55d0_0000_3000]
        )
    }

    @Test("The program goes on as before when it has let go of its code")
    func release() {
        let before = (0..<1_000).map { "\($0)" }
        #if os(Linux) && canImport(Glibc)
        #expect(ProgramMemory.residentFileBytes > 1 << 20)
        #endif
        ProgramMemory.release()
        #expect(before == (0..<1_000).map { "\($0)" })
    }
}
