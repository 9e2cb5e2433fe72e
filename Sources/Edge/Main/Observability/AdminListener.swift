// SPDX-License-Identifier: Apache-2.0

import EdgeControl
import EdgeProxy
import EdgeTunnels
import HTTPTypes
import NIOCore
import NIOPosix

/// The small listener for probes and metrics, apart from the public one so that nobody outside can reach it.
///
/// Its connections are read and written as visitors' are, with the same time-outs, and are never more than
/// ``maximumConnections``: the oldest gives way to a new one, so that a probe is heard whoever else is there.
struct AdminListener: Sendable {
    let endpoint: AdminEndpoint

    /// The most connections.
    static let maximumConnections = 64

    /// Listens.
    ///
    /// - Returns: The channel that accepts connections.
    func bind(to address: ListenAddress, group: any EventLoopGroup) async throws -> any Channel {
        let services = self.services
        return try await ServerBootstrap.bindInner(to: address, group: group, services, limit: Self.maximumConnections)
    }

    private var services: ProxyServices {
        ProxyServices(
            settings: ProxySettings(),
            router: .controlPlaneAlone,
            trust: VisitorTrust(trustedProxies: [], clientIPHeader: nil, isTLS: false),
            registry: InMemoryTunnelRegistry(),
            controlPlane: self.endpoint,
            connectEndpoint: self.endpoint,
            recorder: NoRecord()
        )
    }
}

/// Probes, scrapes and the upgrades of links are nobody's visits.
final class NoRecord: ExchangeRecorder {
    func started() {}
    func retried() {}
    func finished(_ entry: AccessLogEntry) {}
}

extension AdminEndpoint: ControlPlane, ConnectEndpoint {
    var maximumBodyLength: Int { self.dashboard?.maximumBodyLength ?? 0 }

    func respond(
        to request: HTTPRequest,
        body: ByteBuffer,
        remoteAddress: SocketAddress?,
        requestID: RequestID
    ) async -> (HTTPResponse, ByteBuffer) {
        if let dashboard, request.path?.hasPrefix("/api/") ?? false {
            return await dashboard.respond(
                to: request,
                body: body,
                remoteAddress: remoteAddress,
                requestID: requestID
            )
        }
        let answer = self.respond(method: request.method.rawValue, path: request.path ?? "")
        let fields: HTTPFields = [.contentType: answer.mediaType, .cacheControl: "no-store"]
        return (HTTPResponse(status: answer.status, headerFields: fields), ByteBuffer(string: answer.body))
    }

    /// Nothing is routed here.
    func decide(
        method: HTTPRequest.Method,
        tunnelID: String,
        fields: [(name: String, value: String)],
        remoteAddress: SocketAddress?,
        requestID: RequestID
    ) async -> ConnectDecision {
        .refuse(HTTPResponse(status: .notFound), ByteBuffer())
    }
}
