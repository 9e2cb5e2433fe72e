// SPDX-License-Identifier: Apache-2.0

import Program
import Testing

@Suite("Whose settings a file has")
struct FileOfSettingsTests {
    @Test("An edge's file has settings that only an edge has, and no list of tunnels")
    func edge() {
        #expect(FileOfSettings([("listen", .text)]) == .edge)
        #expect(FileOfSettings([("public", .mapping)]) == .edge)
        #expect(FileOfSettings([("listen", .text), ("tunnels", .mapping)]) == .edge)
    }

    @Test("A list of tunnels makes a file of tunnels")
    func tunnels() {
        #expect(FileOfSettings([("edge", .text), ("tunnels", .list)]) == .tunnels)
        #expect(FileOfSettings([("public", .text), ("tunnels", .list)]) == .tunnels)
    }

    @Test("What could be either is called neither: as a tunnel that is not in a list, whose “public” is off")
    func neither() {
        #expect(FileOfSettings([("target", .text), ("public", .text)]) == nil)
        #expect(FileOfSettings([("tunnels", .mapping)]) == nil)
        #expect(FileOfSettings([("listen", .text), ("tunnels", .list)]) == nil)
        #expect(FileOfSettings([]) == nil)
    }
}
