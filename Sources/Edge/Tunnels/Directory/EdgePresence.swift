// SPDX-License-Identifier: Apache-2.0

import Protocol

/// Which of several edges this is, and how many there are: connectors spread their connections by it (docs/protocol.md
/// §B.20).
package struct EdgePresence: Sendable {
    private let pod: PodID
    private let pods: PodTable

    /// Describes an edge.
    ///
    /// - Parameters:
    ///   - pod: This edge.
    ///   - pods: The edges that live.
    package init(pod: PodID, pods: PodTable) {
        self.pod = pod
        self.pods = pods
    }

    /// Says it in a HELLO.
    package func tell(_ settings: inout SessionSettings) {
        settings.pod = self.pod.description
        settings.pods = UInt16(clamping: max(1, self.pods.countWithLinks))
    }
}
