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
        if let file = certificateAuthorityFile ?? self.authorityFile(in: environment) {
            configuration.trustRoots = .file(file)
        }
        return configuration
    }

    /// The file of `SSL_CERT_FILE`; `nil` where it is not set, or empty.
    static func authorityFile(in environment: [String: String]) -> String? {
        environment["SSL_CERT_FILE"].flatMap { $0.isEmpty ? nil : $0 }
    }
}

extension NIOSSLContext {
    /// Makes what connections to an edge share.
    ///
    /// - Parameters:
    ///   - certificateAuthorityFile: A PEM file of the only roots to trust, as `--ca-file` names it.
    ///   - environment: Its `SSL_CERT_FILE` names another file than the system's.
    /// - Throws: ``CommandFailure`` that names the file if it can't be used.
    package static func toEdge(
        certificateAuthorityFile: String?,
        environment: [String: String] = ProgramEnvironment.variables
    ) throws(CommandFailure) -> NIOSSLContext {
        do {
            return try NIOSSLContext(
                configuration: .toEdge(certificateAuthorityFile: certificateAuthorityFile, environment: environment)
            )
        } catch {
            throw .certificates(
                certificateAuthorityFile,
                ofEnvironment: TLSConfiguration.authorityFile(in: environment),
                error
            )
        }
    }

    /// Reports a file of certificates that can't be used, before an edge is asked: its failure would look as if the edge
    /// had ended the connection.
    ///
    /// - Parameters:
    ///   - edge: The edge that is to be asked; without TLS the environment's file does not matter.
    ///   - certificateAuthorityFile: A PEM file of the only roots to trust, as `--ca-file` names it.
    ///   - environment: Its `SSL_CERT_FILE` names another file than the system's.
    /// - Throws: ``CommandFailure`` that names the file.
    static func checkAuthorities(
        of edge: EdgeAddress,
        certificateAuthorityFile: String?,
        environment: [String: String] = ProgramEnvironment.variables
    ) throws(CommandFailure) {
        let isOfEnvironment = edge.usesTLS && TLSConfiguration.authorityFile(in: environment) != nil
        // The system's trusted certificates take time and memory to read, and are there.
        guard certificateAuthorityFile != nil || isOfEnvironment else { return }
        _ = try Self.toEdge(certificateAuthorityFile: certificateAuthorityFile, environment: environment)
    }
}
