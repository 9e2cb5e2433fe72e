// SPDX-License-Identifier: Apache-2.0

import NIOSSL
import Program

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The certificate and key of the public listener.
enum ListenerTLS {
    /// What connections are encrypted with; `nil` without `tls.certificate`, where a proxy in front does it.
    ///
    /// - Throws: ``CredentialFiles/Failure`` for a file that can't be used.
    static func context(_ configuration: EdgeConfiguration) throws -> NIOSSLContext? {
        guard let certificate = configuration.certificateFile, let key = configuration.privateKeyFile else {
            return nil
        }
        return try self.context(certificate: certificate, key: key)
    }

    /// What connections are encrypted with.
    ///
    /// - Throws: ``CredentialFiles/Failure`` for a file that can't be used.
    static func context(certificate: String, key: String) throws -> NIOSSLContext {
        let chain = try self.chain(certificate)
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(try self.privateKey(key))
        )
        tls.minimumTLSVersion = .tlsv12
        // Without this a client that offers HTTP/2 first would have to guess.
        tls.applicationProtocols = ["http/1.1"]
        return try self.belongingTogether(certificate) { try NIOSSLContext(configuration: tls) }
    }

    /// What keeps browsers and connectors from trusting the edge, or from reaching it, though it can serve.
    ///
    /// - Returns: Sentences for the log; none for a certificate's file that can't be used.
    static func warnings(_ configuration: EdgeConfiguration, now: Date = Date()) -> [String] {
        guard let path = configuration.certificateFile else {
            guard let url = configuration.publicURL, url.lowercased().hasPrefix("https:"),
                configuration.http.trustedProxies.isEmpty
            else { return [] }
            return [
                "public.url is \(url), and this edge speaks no TLS: set tls.certificate and tls.key, or name the "
                    + "proxy that speaks it in front of the edge in proxies.trusted"
            ]
        }
        var warnings: [String] = []
        if let url = configuration.publicURL, url.lowercased().hasPrefix("http:") {
            warnings.append(
                "public.url is \(url), and this edge speaks TLS: unless a proxy in front takes plain requests, write https://"
            )
        }
        guard let leaf = try? self.chain(path).first else { return warnings }
        return warnings
            + CertificateFitness(leaf).faults(hosts: configuration.certifiedHosts, now: now).map {
                "\(ShownPath.text(path)): \($0)"
            }
    }

    /// The certificates of a file.
    ///
    /// - Throws: ``CredentialFiles/Failure`` for a file that holds none.
    static func chain(_ path: String) throws -> [NIOSSLCertificate] {
        let message = "the file holds no PEM certificate"
        let chain = try self.read(path, message) { try NIOSSLCertificate.fromPEMFile(path) }
        // A file with something else in PEM is read without an error.
        guard !chain.isEmpty else { throw CredentialFiles.Failure(path: path, message: message) }
        return chain
    }

    /// The private key of a file.
    ///
    /// - Throws: ``CredentialFiles/Failure`` for a file that holds none.
    static func privateKey(_ path: String) throws -> NIOSSLPrivateKey {
        try self.read(path, "the file holds no PEM private key") { try NIOSSLPrivateKey(file: path, format: .pem) }
    }

    /// Makes what needs a certificate and its key.
    ///
    /// - Parameters:
    ///   - certificate: The certificate's file, for what is told.
    ///   - make: Makes it.
    /// - Throws: ``CredentialFiles/Failure`` if they don't belong together.
    static func belongingTogether<Value>(_ certificate: String, _ make: () throws -> Value) throws -> Value {
        try self.read(certificate, "the certificate and the private key don't belong together", make)
    }

    private static func read<Value>(_ path: String, _ message: String, _ body: () throws -> Value) throws -> Value {
        guard FileFault.of(path) == nil else {
            throw CredentialFiles.Failure(path: path, message: CredentialFiles.fault(path))
        }
        do {
            return try body()
        } catch {
            throw CredentialFiles.Failure(path: path, message: message)
        }
    }
}
