// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI

/// What `culvert tcp` and `culvert tls` do: make a tunnel of connections and serve it.
struct ConnectionServing {
    let target: OriginTarget
    let name: String?
    var port: UInt16?
    let isPrivate: Bool
    let pools: Bool
    let connections: Int
    let policy: TunnelPolicy

    /// Checks how many connections are kept to the edge against how many the tunnel may have.
    static func validate(_ connections: Int, _ most: PolicyValue?) throws {
        guard (1...8).contains(connections) else { throw ValidationError("--connections is a number from 1 to 8.") }
        if case .number(let most) = most, most < connections {
            throw ValidationError(
                "--max-connections is \(most), and the connector keeps \(connections) connections: "
                    + "raise it, or lower --connections."
            )
        }
    }

    /// Checks that only a tunnel with a name is shared: nobody else could have another one.
    static func validatePool(_ pools: Bool, _ name: String?) throws {
        guard !pools || name != nil else { throw ValidationError("--pool is for a tunnel with a name: add --name.") }
    }

    /// Serves until the program is asked to stop.
    func run(_ credentials: CredentialOptions, _ edgeOptions: EdgeOptions, _ statusOptions: StatusOptions) async throws
    {
        let access = try credentials.resolve(edgeOptions)
        let run = try ServingRun(
            edgeOptions: edgeOptions,
            statusOptions: statusOptions,
            inspectOptions: nil,
            targets: [self.target],
            connections: self.connections,
            logger: edgeOptions.makeLogger()
        )
        let tunnel = TunnelCreation(
            access: access,
            name: self.name,
            port: self.port,
            isPrivate: self.isPrivate,
            place: ServingPlace("\(self.target)"),
            pools: self.pools,
            target: self.target,
            policy: self.policy,
            originTrust: OriginTrust(),
            connections: self.connections
        )
        try await run.run(tunnel.prepare)
    }
}
