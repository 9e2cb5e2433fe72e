// SPDX-License-Identifier: Apache-2.0

import EdgeProxy
import EdgeTunnels
import HTTPTypes
import NIOCore
import NIOPosix

/// The listener on which other edges ask for links, apart from the public one so that nobody outside can reach it.
///
/// Its connections are read as visitors' are until the upgrade, with the same time-outs.
struct LinkListener: Sendable {
    let endpoint: any ConnectEndpoint
    /// Puts on a connection what encrypts it; `nil` where links are not encrypted.
    let secure: (@Sendable (any Channel) throws -> Void)?

    /// The most connections.
    static let maximumConnections = 2_048

    /// Listens.
    ///
    /// - Returns: The channel that accepts connections.
    func bind(to address: ListenAddress, group: any EventLoopGroup) async throws -> any Channel {
        let services = ProxyServices(
            settings: ProxySettings(),
            router: .upgradesAlone,
            trust: VisitorTrust(trustedProxies: [], clientIPHeader: nil, isTLS: self.secure != nil),
            registry: InMemoryTunnelRegistry(),
            controlPlane: NoControlPlane(),
            connectEndpoint: self.endpoint,
            recorder: NoRecord()
        )
        return try await ServerBootstrap.bindInner(
            to: address,
            group: group,
            services,
            limit: Self.maximumConnections,
            secure: self.secure
        )
    }
}

/// Nothing is called here.
private struct NoControlPlane: ControlPlane {
    var maximumBodyLength: Int { 0 }

    func respond(
        to request: HTTPRequest,
        body: ByteBuffer,
        remoteAddress: SocketAddress?,
        requestID: RequestID
    ) async -> (HTTPResponse, ByteBuffer) {
        (HTTPResponse(status: .notFound), ByteBuffer())
    }
}
