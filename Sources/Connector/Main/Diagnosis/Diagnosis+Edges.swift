// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import NIOCore
import Protocol

extension Diagnosis {
    /// How many connections are to reach two edges, where there are several: of two edges that are dealt out by chance, one
    /// is met by all of them in less than one of a hundred diagnoses.
    private static let mostConnections = 8

    /// Sees whether connections reach different edges, as a connector's second one has to.
    ///
    /// - Parameters:
    ///   - token: Opens sessions.
    ///   - first: The edge that has been reached.
    /// - Returns: Nothing where there is one edge.
    func spread(_ token: TunnelToken, from first: EdgePlace?) async -> DiagnosisStep? {
        guard let first, first.pods > 1 else { return nil }
        var isPinned = false
        var step = await self.step("edges", as: .tunnel) {
            for _ in 1..<Self.mostConnections {
                if let edge = try await self.look(token), edge.pod != first.pod {
                    return "there are \(first.pods), and connections reach different ones"
                }
            }
            isPinned = true
            return "there are \(first.pods), and \(Self.mostConnections) connections reached the same one"
        }
        if isPinned { step.advice = Self.pinned }
        return step
    }

    private static let pinned = """
        When that one fails, a second connection of a connector has failed with it. What leads connections to the edges \
        may keep those of one address together: switch that off there (in nginx ip_hash, in a Service of Kubernetes \
        sessionAffinity, in Traefik sticky).
        """

    /// Opens a session, and ends it as soon as the edge has answered, so that no visitor is routed to it.
    ///
    /// - Returns: Which of several edges has answered, if it says so.
    func look(_ token: TunnelToken) async throws -> EdgePlace? {
        let session = try await self.open(token, targets: [:])
        var edge: EdgePlace?
        for await event in session.events {
            if case .active(let place) = event {
                edge = place
                session.drain(gracePeriod: .seconds(1))
            }
            if case .ended(let code, let reason) = event, code != .shutdown {
                throw ReconnectPolicy.failure(ending: code, reason: reason)
            }
        }
        return edge
    }
}
