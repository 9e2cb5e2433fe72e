// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import NIOCore

/// The settings of tunnels of TCP.
extension EdgeConfiguration {
    mutating func readTCP(from reader: inout SettingsReader) {
        if self.isDevelopment { self.tcp.listen = "127.0.0.1" }
        reader.read("tcp.ports", into: &self.tcp.ports, help: "the ports that tunnels of TCP may have; none by default")
        reader.read("tcp.listen", into: &self.tcp.listen, help: "the address on which these ports listen")
        reader.read(
            "tcp.host",
            into: &self.tcp.host,
            help: "the host that the URLs of tunnels of TCP name; that of public.url by default"
        )
        reader.read(
            "tcp.max-connections",
            into: &self.tcp.maxConnections,
            in: 1...10_000_000,
            help: "most connections of visitors to tunnels of TCP"
        )
        reader.read(
            "tcp.max-connections-per-address",
            into: &self.tcp.maxConnectionsPerAddress,
            in: 1...10_000_000,
            help: "most of them of one address"
        )
        reader.read(
            "tcp.idle-timeout",
            into: &self.tcp.idleTimeout,
            help: "time without a byte after which such a connection is ended; never by default"
        )
        reader.read(
            "tcp.proxy-protocol",
            into: &self.tcp.takesProxyHeaders,
            help: "whether proxies.trusted begin such connections, and those of TLS, with a PROXY header"
        )
        reader.read(
            "tls-passthrough.listen",
            into: &self.tcp.passthrough,
            help: "where tunnels of TLS are reached, each by its host as the server name; nowhere by default"
        )
    }

    func checkTCP(_ reader: inout SettingsReader) {
        if IPAddress(self.tcp.listen) == nil {
            reader.report("tcp.listen", "\"\(self.tcp.listen)\" is not an IP address such as 0.0.0.0 or ::")
        }
        if self.isDevelopment, !ListenAddress(host: self.tcp.listen, port: 0).isLoopback {
            reader.report("tcp.listen", "with --dev only loopback addresses are allowed, since its keys are printed")
        }
        if let host = self.tcp.host, IPAddress(host) == nil, !Self.isDomain(host) {
            reader.report("tcp.host", "\"\(host)\" is not a host such as tcp.example.com or 192.0.2.1")
        }
        if let timeout = self.tcp.idleTimeout, timeout < .seconds(1) {
            reader.report("tcp.idle-timeout", "\(timeout.settingText) is not 1s or more")
        }
        for (key, takesHeaders) in [
            ("tcp.proxy-protocol", self.tcp.takesProxyHeaders), ("http.proxy-protocol", self.http.takesProxyHeaders),
        ] where takesHeaders && self.http.trustedProxies.isEmpty {
            reader.report(key, "proxies.trusted names nobody whose headers could be believed")
        }
        if let passthrough = self.tcp.passthrough {
            if self.wildcardDomain == nil {
                reader.report(
                    "tls-passthrough.listen",
                    "tunnels of TLS have hosts below public.wildcard-domain, which is not set"
                )
            }
            if self.isDevelopment, !passthrough.isLoopback {
                reader.report(
                    "tls-passthrough.listen",
                    "with --dev only loopback addresses are allowed, since its keys are printed"
                )
            }
        }
        guard let ports = self.tcp.ports?.ports else { return }
        for (key, address) in [("listen", self.listen), ("admin.listen", self.adminListen)]
        where UInt16(exactly: address.port).map(ports.contains) ?? false {
            reader.report("tcp.ports", "\(address.port), the port of \(key), is among them")
        }
    }

    /// The host that the URLs of tunnels of TCP name.
    ///
    /// - Parameter address: Where the public listener listens.
    func tcpHost(listeningOn address: ListenAddress) -> String {
        if let host = self.tcp.host { return host }
        let url = self.effectivePublicURL(listeningOn: address)
        let authority = url.drop { $0 != ":" }.drop { $0 == ":" || $0 == "/" }
        if authority.hasPrefix("[") { return String(authority.dropFirst().prefix { $0 != "]" }) }
        return String(authority.prefix { $0 != ":" })
    }
}
