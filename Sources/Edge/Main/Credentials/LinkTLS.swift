// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOSSL

/// How links between edges are encrypted: each end shows a certificate of one authority, and takes no other.
///
/// Edges are dialled by their addresses, which come and go, so that no name is looked for in a certificate: which edge an end
/// is, the link's token and HELLO say (docs/protocol.md §B.20).
struct LinkTLS: Sendable {
    /// For links that other edges dial.
    let server: NIOSSLContext
    /// For links that this edge dials.
    let client: NIOSSLContext

    /// What is made of `cluster.tls`; `nil` without it, where links are not encrypted.
    ///
    /// - Throws: ``CredentialFiles/Failure`` for a file that can't be used.
    static func reloaded(_ cluster: EdgeConfiguration.Cluster) throws -> ReloadedTLS<LinkTLS>? {
        guard let certificate = cluster.certificateFile, let key = cluster.privateKeyFile,
            let authority = cluster.authorityFile
        else { return nil }
        return try ReloadedTLS(of: [certificate, key, authority]) {
            try LinkTLS(certificate: certificate, key: key, authority: authority)
        }
    }

    /// Reads the files.
    ///
    /// - Throws: ``CredentialFiles/Failure`` for a file that can't be used.
    init(certificate: String, key: String, authority: String) throws {
        let chain = try ListenerTLS.chain(certificate).map { NIOSSLCertificateSource.certificate($0) }
        let privateKey = NIOSSLPrivateKeySource.privateKey(try ListenerTLS.privateKey(key))
        let roots = NIOSSLTrustRoots.certificates(try ListenerTLS.chain(authority))
        var server = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: privateKey)
        var client = TLSConfiguration.makeClientConfiguration()
        client.certificateChain = chain
        client.privateKey = privateKey
        // Both ends are this program.
        (server.minimumTLSVersion, client.minimumTLSVersion) = (.tlsv13, .tlsv13)
        (server.certificateVerification, client.certificateVerification) = (
            .noHostnameVerification, .noHostnameVerification
        )
        (server.trustRoots, client.trustRoots) = (roots, roots)
        (self.server, self.client) = try ListenerTLS.belongingTogether(certificate) {
            (try NIOSSLContext(configuration: server), try NIOSSLContext(configuration: client))
        }
    }
}

extension ReloadedTLS<LinkTLS> {
    /// Encrypts a link that another edge has dialled.
    var securesAccepted: @Sendable (any Channel) throws -> Void {
        { channel in
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: self.current.server))
        }
    }

    /// Encrypts a link that this edge dials.
    var securesDialled: @Sendable (any Channel) throws -> Void {
        { channel in
            let handler = try NIOSSLClientHandler(context: self.current.client, serverHostname: nil)
            try channel.pipeline.syncOperations.addHandler(handler)
        }
    }
}
