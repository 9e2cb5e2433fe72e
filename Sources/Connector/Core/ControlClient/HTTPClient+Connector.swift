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
    ///   - proxy: What the edge is reached through, if anything.
    static func control(
        on group: any EventLoopGroup,
        certificateAuthorityFile: String?,
        proxy: ProxyAddress? = nil
    ) -> HTTPClient {
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: .toEdge(certificateAuthorityFile: certificateAuthorityFile),
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: .seconds(30))
        )
        configuration.httpVersion = .http1Only
        if let proxy {
            let authorization = proxy.credentials.map {
                HTTPClient.Authorization.basic(username: $0.user, password: $0.password)
            }
            configuration.proxy = .server(host: proxy.host, port: proxy.port, authorization: authorization)
        }
        // Whether to try again is the caller's decision, and it has a word to say between attempts.
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }
}
