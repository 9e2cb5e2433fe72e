// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import NIOCore

/// Where the inspector listens.
struct InspectorAddress: Equatable, Sendable, CustomStringConvertible {
    var host: String
    var port: Int

    /// The ports that are tried if none is asked for.
    static let usualPorts = 4_040...4_049

    init(host: String = "127.0.0.1", port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `4040`, `127.0.0.1:4040` or `[::1]:4040`.
    init?(_ text: String) {
        if let port = Int(text), (1...65_535).contains(port) {
            self.init(port: port)
            return
        }
        guard let target = try? OriginTarget(parsing: text), !target.usesTLS, let port = target.port else { return nil }
        // A name might resolve to more than one address.
        let host = target.host == "localhost" ? "127.0.0.1" : target.host
        guard (try? SocketAddress(ipAddress: host, port: port)) != nil else { return nil }
        self.init(host: host, port: port)
    }

    /// Whether only this machine can reach it.
    var isLoopback: Bool { self.host.hasPrefix("127.") || self.host == "::1" }

    /// `host:port`.
    var description: String { (self.host.contains(":") ? "[\(self.host)]" : self.host) + ":\(self.port)" }

    /// Whether a local server has the same address, as far as can be said before anybody listens there.
    func isTarget(_ target: OriginTarget) -> Bool {
        guard target.port == self.port else { return false }
        return target.host == "localhost" || target.host == "::1" || target.host.hasPrefix("127.")
            || target.host == self.host || target.host == "0.0.0.0" || target.host == "::"
    }
}
