// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import NIOCore
import NIOSSL

extension HTTPClient {
    /// Makes the client of the control API.
    ///
    /// Redirects are not followed: the API key must not travel to where an answer points.
    ///
    /// - Parameters:
    ///   - group: The event loops that the program has anyway.
    ///   - certificateAuthorityFile: A PEM file of the only roots to trust; `nil` means those of the system.
    static func control(on group: any EventLoopGroup, certificateAuthorityFile: String?) -> HTTPClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let certificateAuthorityFile { tls.trustRoots = .file(certificateAuthorityFile) }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls,
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: .seconds(30))
        )
        configuration.httpVersion = .http1Only
        // Whether to try again is the caller's decision, and it has a word to say between attempts.
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }
}
