// SPDX-License-Identifier: Apache-2.0

import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What an edge tells another one of a tunnel whose streams it passes on (docs/protocol.md §B.20).
struct LinkNotice: Codable, Equatable {
    /// Whether nothing comes from any session that the tunnel has there.
    let isSilent: Bool?

    /// Makes a notice.
    init(isSilent: Bool) {
        self.isSilent = isSilent
    }

    /// What another edge has sent; `nil` if it can't be read.
    init?(_ bytes: ByteBuffer) {
        guard let notice = try? JSONDecoder().decode(Self.self, from: Data(bytes.readableBytesView)) else { return nil }
        self = notice
    }

    private enum CodingKeys: String, CodingKey {
        case isSilent = "silent"
    }

    /// The notice as it is sent.
    var encoded: ByteBuffer? { (try? JSONEncoder().encode(self)).map { ByteBuffer(bytes: $0) } }
}
