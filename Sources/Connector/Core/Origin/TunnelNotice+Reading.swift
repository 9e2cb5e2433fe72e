// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import NIOCore
import NIOFoundationCompat

extension TunnelNotice {
    /// What the edge has sent of a tunnel (docs/protocol.md §B.17); `nil` if it can't be read.
    init?(_ bytes: ByteBuffer) {
        guard let notice = try? JSONDecoder().decode(Self.self, from: Data(buffer: bytes)) else { return nil }
        self = notice
    }
}

extension TunnelNotice.Connector {
    /// What a person reads; the edge's own words go to a terminal.
    var shownText: String {
        let place = self.remoteAddress.map { " at \($0)" } ?? ""
        return PeerText.printable(String("\(self.implementation ?? "a connector")\(place)".prefix(80)))
    }
}
