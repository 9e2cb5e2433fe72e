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
        guard let certificatePath = configuration.certificateFile, let keyPath = configuration.privateKeyFile else {
            return nil
        }
        let chain = try self.chain(certificatePath)
        let key = try self.read(keyPath, "the file holds no PEM private key") {
            try NIOSSLPrivateKey(file: keyPath, format: .pem)
        }
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        tls.minimumTLSVersion = .tlsv12
        // Without this a client that offers HTTP/2 first would have to guess.
        tls.applicationProtocols = ["http/1.1"]
        return try self.read(certificatePath, "the certificate and the private key don't belong together") {
            try NIOSSLContext(configuration: tls)
        }
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

    private static func chain(_ path: String) throws -> [NIOSSLCertificate] {
        try self.read(path, "the file holds no PEM certificate") { try NIOSSLCertificate.fromPEMFile(path) }
    }

    private static func read<Value>(_ path: String, _ message: String, _ body: () throws -> Value) throws -> Value {
        guard FileFault.of(path) == nil else {
            throw CredentialFiles.Failure(path: path, message: FileFault.words(path))
        }
        do {
            return try body()
        } catch {
            throw CredentialFiles.Failure(path: path, message: message)
        }
    }
}
