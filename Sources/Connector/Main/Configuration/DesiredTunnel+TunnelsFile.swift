// SPDX-License-Identifier: Apache-2.0

import ConnectorCore

extension DesiredTunnel.Identity {
    /// The identities of a file's tunnels, in their order.
    static func of(_ entries: [TunnelsFile.Entry]) -> [Self] {
        var numbers: [OriginTarget: Int] = [:]
        return entries.map { entry in
            if let tokenFile = entry.tokenFile { return .tokenFile(tokenFile) }
            if let name = entry.name { return .name(name) }
            let number = numbers[entry.target, default: 0]
            numbers[entry.target] = number + 1
            return .target(entry.target, number: number)
        }
    }
}
