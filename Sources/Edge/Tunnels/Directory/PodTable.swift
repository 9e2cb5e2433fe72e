// SPDX-License-Identifier: Apache-2.0

import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What an edge tells the others of itself with each beat: one JSON object.
package struct PodInfo: Codable, Equatable, Sendable {
    /// Where other edges reach it, as `HOST:PORT`; `nil` for one that has no links.
    package var address: String?
    /// Its version, for people.
    package var version: String?
    /// How many connections of connectors it has; `nil` for one that does not say.
    package var connections: Int?
    /// Whether it is about to stop, and takes no connectors any more; it says so or nothing.
    package var isLeaving: Bool?

    private enum CodingKeys: String, CodingKey {
        case address = "a"
        case version = "v"
        case connections = "c"
        case isLeaving = "d"
    }

    /// Describes an edge.
    package init(address: String? = nil, version: String? = nil) {
        self.address = address
        self.version = version
    }

    /// Reads what an edge tells; one of another version may tell more.
    package init(text: String) {
        self = (try? JSONDecoder().decode(PodInfo.self, from: Data(text.utf8))) ?? PodInfo()
    }

    /// The object.
    package var text: String {
        (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}

/// The edges that live, as of the last beat.
///
/// While the directory is away they stay as they were then: whether one is there its link shows.
package final class PodTable: Sendable {
    private let pods = Mutex<[PodID: PodInfo]>([:])

    /// Makes a table without edges.
    package init() {}

    /// Takes what a beat told.
    package func update(_ live: [PodID: String]) {
        let pods = live.mapValues { PodInfo(text: $0) }
        self.pods.withLock { $0 = pods }
    }

    /// Takes up an edge that has come since the last beat.
    package func add(_ pod: PodID, _ info: String) {
        self.pods.withLock { $0[pod] = PodInfo(text: info) }
    }

    /// Where an edge is reached; `nil` for one that is not known, or has no links.
    package func address(of pod: PodID) -> String? {
        self.pods.withLock { $0[pod]?.address }
    }

    /// Whether an edge is known to live.
    package func contains(_ pod: PodID) -> Bool {
        self.pods.withLock { $0[pod] != nil }
    }

    /// Whether connectors may go to an edge, and be served at the others by it.
    func takesConnectors(_ pod: PodID) -> Bool {
        self.pods.withLock { $0[pod].map(Self.takesConnectors) ?? false }
    }

    private static func takesConnectors(_ info: PodInfo) -> Bool { info.address != nil && info.isLeaving != true }

    /// How many connections of connectors the edges but one have, of those that say so and stay.
    func connections(besides pod: PodID) -> [Int] {
        self.pods.withLock { pods in
            pods.compactMap { $0.key == pod || $0.value.isLeaving == true ? nil : $0.value.connections }
        }
    }

    /// How many live.
    package var count: Int { self.pods.withLock { $0.count } }

    /// How many live that serve each other's tunnels, and do not leave.
    var countWithLinks: Int { self.pods.withLock { $0.values.count(where: Self.takesConnectors) } }
}
