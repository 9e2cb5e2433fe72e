// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@testable import EdgeTunnels

@Suite("Notices of who else serves a tunnel")
struct SharingNoticesTests {
    private func others(_ addresses: String...) -> [TunnelNotice.Connector] {
        addresses.map { TunnelNotice.Connector(implementation: "culvert", remoteAddress: $0) }
    }

    @Test("What has changed and stayed so is told, once")
    func changes() {
        var notices = SharingNotices()
        let looks: [([TunnelNotice.Connector], [TunnelNotice.Connector]?)] = [
            (self.others(), nil), (self.others(), nil), (self.others("a"), nil), (self.others("a"), self.others("a")),
            (self.others("a"), nil), (self.others("a", "b"), nil), (self.others("a"), nil), (self.others("a"), nil),
            (self.others(), nil), (self.others(), self.others()), (self.others(), nil),
        ]
        for (index, (seen, told)) in looks.enumerated() {
            #expect(notices.look(seen, session: 1)?.alsoServedBy == told, "\(index)")
        }
    }

    @Test("A session that is not to know, or has left, is as new when it is to know again")
    func forgotten() {
        for leaves in [true, false] {
            var notices = SharingNotices()
            for _ in 0..<2 { _ = notices.look(self.others("a"), session: 1) }
            if leaves { notices.left(1) } else { #expect(notices.look(nil, session: 1) == nil) }
            #expect(notices.look(self.others("a"), session: 1) == nil)
            #expect(notices.look(self.others("a"), session: 1)?.alsoServedBy == self.others("a"))
        }
    }

    @Test("No more are named than a notice may hold")
    func bound() {
        let many = (0..<20).map { TunnelNotice.Connector(implementation: nil, remoteAddress: "\($0)") }
        #expect(TunnelNotice(alsoServedBy: many).alsoServedBy.count == TunnelNotice.maximumConnectors)
    }
}
