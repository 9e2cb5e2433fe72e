// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOSSL
import Program

extension TLSConfiguration {
    /// The TLS settings for edges, whose certificate is always verified.
    ///
    /// - Parameters:
    ///   - certificateAuthorityFile: A PEM file of the only roots to trust, as `--ca-file` names it.
    ///   - environment: Its `SSL_CERT_FILE` names another file than the system's, as it does for most programs.
    package static func toEdge(
        certificateAuthorityFile: String?,
        environment: [String: String] = ProgramEnvironment.variables
    ) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.applicationProtocols = ["http/1.1"]
        if let file = certificateAuthorityFile ?? environment["SSL_CERT_FILE"], !file.isEmpty {
            configuration.trustRoots = .file(file)
        }
        return configuration
    }
}

extension NIOSSLContext {
    /// Makes what connections to an edge share.
    ///
    /// - Parameter certificateAuthorityFile: A PEM file of the only roots to trust, as `--ca-file` names it.
    /// - Throws: ``CommandFailure`` that names the file if it can't be used.
    package static func toEdge(certificateAuthorityFile: String?) throws(CommandFailure) -> NIOSSLContext {
        do {
            return try NIOSSLContext(configuration: .toEdge(certificateAuthorityFile: certificateAuthorityFile))
        } catch {
            throw .certificates(certificateAuthorityFile, error)
        }
    }
}
