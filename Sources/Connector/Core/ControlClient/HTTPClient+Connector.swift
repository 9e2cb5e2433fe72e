// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import NIOCore
import NIOSSL

extension HTTPClient {
    /// Makes the client of the control API.
    ///
    /// It follows no redirects, so that no response can send the API key elsewhere.
    ///
    /// - Parameters:
    ///   - host: The host of the URLs that it will be asked for.
    ///   - group: The program's event loops.
    ///   - certificateAuthorityFile: A PEM file of the only roots to trust; `nil` means those of the system.
    ///   - proxy: The proxy to use, if any.
    static func control(
        of host: String,
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
            configuration.proxy = .server(
                host: Authority.isLocalhost(proxy.host) ? self.localhost : proxy.host,
                port: proxy.port,
                authorization: authorization
            )
        } else if Authority.isLocalhost(host) {
            configuration.dnsOverride = [host: self.localhost]
        }
        // The caller decides whether to try again, and reports it.
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
    }

    /// This machine: resolvers often know `localhost` alone and none of the names below it, and where `/etc/hosts` is
    /// missing, as in small containers, not even that.
    private static let localhost =
        (try? SocketAddress.makeAddressResolvingHost("localhost", port: 0)) == nil ? "127.0.0.1" : "localhost"
}
