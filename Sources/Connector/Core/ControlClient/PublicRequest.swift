// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix

/// A request to a tunnel's public URL, as a visitor makes it.
package struct PublicRequest: Sendable {
    private let edge: EdgeAddress
    private let certificateAuthorityFile: String?
    private let proxy: ProxyAddress?

    /// - Parameters:
    ///   - edge: The edge, for messages about what is no URL.
    ///   - certificateAuthorityFile: A PEM file of the only roots to trust; `nil` means those of the system.
    ///   - proxy: The proxy to use, if any.
    package init(edge: EdgeAddress, certificateAuthorityFile: String?, proxy: ProxyAddress?) {
        self.edge = edge
        self.certificateAuthorityFile = certificateAuthorityFile
        self.proxy = proxy
    }

    /// Asks for a small page.
    ///
    /// - Returns: The status, and the first 4 KiB of the body.
    package func get(_ url: String) async throws(EdgeFailure) -> (status: Int, body: String) {
        let place = self.place(of: url)
        let http = HTTPClient.control(
            of: place.host,
            on: MultiThreadedEventLoopGroup.singleton,
            certificateAuthorityFile: self.certificateAuthorityFile,
            proxy: self.proxy
        )
        let outcome: Result<(status: Int, body: String), EdgeFailure>
        do {
            let response = try await http.execute(HTTPClientRequest(url: url), timeout: .seconds(15))
            let body = try await response.body.collect(upTo: 4 << 10)
            outcome = .success((Int(response.status.code), String(buffer: body)))
        } catch {
            outcome = .failure(EdgeFailure(error, reaching: place, through: self.proxy))
        }
        try? await http.shutdown()
        return try outcome.get()
    }

    /// What the URL leads to, which may be another name than the one by which the edge is known here.
    private func place(of url: String) -> EdgeAddress {
        let origin = url.split(separator: "/", omittingEmptySubsequences: false).prefix(3).joined(separator: "/")
        return (try? EdgeAddress(parsing: origin)) ?? self.edge
    }
}
