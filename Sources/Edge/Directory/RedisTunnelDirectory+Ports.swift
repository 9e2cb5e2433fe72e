// SPDX-License-Identifier: Apache-2.0
#if Redis

import ControlAPI
import EdgeTunnels
import RESP

extension RedisTunnelDirectory {
    private static let portKeys = ["ports", "portof"]

    package func port(of specification: TunnelSpecification) async throws -> UInt16? {
        let arguments = [specification.id.description, specification.owner]
        let answer = try await self.ask(.ports, self.portScripts.find, Self.portKeys, arguments)
        guard let port = answer.number else { throw self.misunderstood(answer) }
        return port == 0 ? nil : UInt16(exactly: port)
    }

    package func claim(
        _ port: UInt16,
        for specification: TunnelSpecification,
        isReturning: Bool
    ) async throws -> Bool {
        let answer = try await self.ask(
            .ports,
            self.portScripts.claim,
            Self.portKeys,
            [
                specification.id.description, specification.owner, "\(specification.version)", "\(port)",
                isReturning ? "1" : "0",
            ]
        )
        guard let claimed = answer.number else { throw self.misunderstood(answer) }
        if claimed == 1, !isReturning { await self.settle() }
        return claimed == 1
    }

    package func onlinePorts() async throws -> [UInt16: TunnelID] {
        let answer = try await self.ask(.ports, self.portScripts.online, Self.portKeys, [])
        guard let words = answer.elements else { throw self.misunderstood(answer) }
        var ports: [UInt16: TunnelID] = [:]
        for index in stride(from: 0, to: words.count - 1, by: 2) {
            guard let port = words[index].text.flatMap({ UInt16($0) }) else { continue }
            ports[port] = words[index + 1].text.flatMap { TunnelID($0) }
        }
        return ports
    }
}

#endif
