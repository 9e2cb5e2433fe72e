// SPDX-License-Identifier: Apache-2.0
#if Redis

import ControlAPI
import EdgeTunnels

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension DirectoryEvent {
    private struct Message: Decodable {
        var k: String
        var id: String
        var u: String?
        var e: String?
        var v: String?
        var i: String?
        var o: String?
    }

    /// Reads what a script told; `nil` for what an edge of another version tells, which is for those who know it.
    package init?(message: String) {
        guard let message = try? JSONDecoder().decode(Message.self, from: Data(message.utf8)) else { return nil }
        if message.k == "pod" {
            self = .podCame(PodID(message.id), info: message.i ?? "")
            return
        }
        guard let id = TunnelID(message.id) else { return nil }
        let (issuedUntil, endAt) = (message.u.flatMap { Double($0) }, message.e.flatMap { Double($0) })
        switch message.k {
        case "end":
            guard let issuedUntil else { return nil }
            self = .deleted(id, issuedUntil: issuedUntil)
        case "cut":
            guard let issuedUntil, let endAt else { return nil }
            self = .cut(id, TokenCutoffs.Cutoff(issuedUntil: issuedUntil, endAt: endAt))
        case "access":
            guard let issuedUntil else { return nil }
            self = .accessEnded(id, issuedUntil: issuedUntil)
        case "policy":
            guard let version = message.v.flatMap({ Double($0) }) else { return nil }
            self = .changed(id, version: version)
        case "owner":
            guard let owner = message.o else { return nil }
            self = .moved(id, owner: owner, version: message.v.flatMap { Double($0) })
        case "idle": self = .forgotten(id)
        default: return nil
        }
    }
}

#endif
