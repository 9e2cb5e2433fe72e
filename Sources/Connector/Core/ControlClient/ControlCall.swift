// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import NIOPosix
import NIOSSL
import Program

/// One call of the control API by a command that does nothing else.
///
/// It is made once: the person who runs the command can repeat it. Only what an edge asks to wait for (429) is waited
/// for, within ``patience``: a script that calls in quick succession meets that, and can't know.
package struct ControlCall: Sendable {
    let access: EdgeAccess
    let certificateAuthorityFile: String?
    let proxy: ProxyAddress?
    /// How long all waits of one call take at most.
    package var patience = Duration.seconds(10)
    /// Whether an edge has answered there before, so that the key may be shown at once.
    package var knowsEdge = false

    /// - Parameters:
    ///   - proxies: Which proxy to go through; by default what the environment says.
    ///   - environment: Its `SSL_CERT_FILE` names other certificates to trust than the system's.
    /// - Throws: ``CommandFailure`` for a file of certificates that can't be used, which would otherwise look as if the
    ///   edge had ended the connection, and for a proxy that can't be.
    package init(
        access: EdgeAccess,
        certificateAuthorityFile: String?,
        proxies: ProxyRules = ProxyRules(environment: ProgramEnvironment.variables),
        environment: [String: String] = ProgramEnvironment.variables
    ) throws(CommandFailure) {
        try NIOSSLContext.checkAuthorities(
            of: access.edge,
            certificateAuthorityFile: certificateAuthorityFile,
            environment: environment
        )
        self.access = access
        self.certificateAuthorityFile = certificateAuthorityFile
        self.proxy = try proxies.proxy(for: access.edge)
    }

    /// Makes the call.
    package func perform<Answer: Sendable>(
        _ call: @Sendable (ControlClient) async throws(EdgeFailure) -> Answer
    ) async throws(EdgeFailure) -> Answer {
        let http = HTTPClient.control(
            of: self.access.edge.host,
            on: MultiThreadedEventLoopGroup.singleton,
            certificateAuthorityFile: self.certificateAuthorityFile,
            proxy: self.proxy
        )
        let client = ControlClient(
            edge: self.access.edge,
            credentials: self.access.credentials,
            http: http,
            proxy: self.proxy,
            patience: CallPatience(self.patience)
        )
        let outcome: Result<Answer, EdgeFailure>
        do {
            if !self.knowsEdge { try await client.expectEdge() }
            outcome = .success(try await call(client))
        } catch {
            outcome = .failure(await error.explained(reaching: self.access.edge, through: self.proxy))
        }
        try? await http.shutdown()
        return try outcome.get()
    }
}
