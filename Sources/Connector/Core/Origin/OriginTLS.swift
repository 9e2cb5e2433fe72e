// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOSSL

/// How the connector speaks TLS to `https://` targets; made once for the life of the program.
package struct OriginTLS: Sendable {
    let context: NIOSSLContext
    private let serverName: String?
    /// How advice about it is worded.
    let settings: OriginTrust.Settings

    /// Reads the trusted certificates.
    init(_ trust: OriginTrust) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = trust.verifies ? .fullVerification : .none
        // An origin that supports HTTP/2 must not select it: the stream carries HTTP/1.1.
        configuration.applicationProtocols = ["http/1.1"]
        if let authorities = trust.authorities {
            configuration.trustRoots = .certificates(try authorities.certificates())
        }
        self.context = try NIOSSLContext(configuration: configuration)
        self.serverName = trust.serverName
        self.settings = trust.settings
    }

    /// Reads the trusted certificates for a command that was given them.
    ///
    /// - Throws: ``CommandFailure`` if they can't be used.
    package init(checking trust: OriginTrust) throws(CommandFailure) {
        do {
            try self.init(trust)
        } catch {
            throw CommandFailure(.configuration, "The certificates to trust can't be used: \(error).")
        }
    }

    /// Makes the handler for one connection.
    ///
    /// - Parameter host: The host of the target; an IP address is verified, but not sent (RFC 6066 §3).
    package func makeHandler(host: String) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: self.context, addressing: self.serverName ?? host)
    }
}

extension NIOSSLClientHandler {
    /// Makes a handler that verifies the certificate for a host, and names the host unless it is an IP address
    /// (RFC 6066 §3).
    package convenience init(context: NIOSSLContext, addressing host: String) throws {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        try self.init(context: context, serverHostname: isAddress ? nil : host)
    }
}
