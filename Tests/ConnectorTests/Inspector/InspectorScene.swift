// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Inspection
import NIOCore
import NIOPosix
import Testing

@testable import Connector

/// An inspector that serves while a test runs, with one tunnel, `my-app`, and the tunnel's target.
struct InspectorScene {
    var inspection: TrafficInspection
    var client: InspectorClient
    var origin: RecordingOrigin

    /// Runs an inspector for the time of the body.
    ///
    /// - Parameters:
    ///   - edge: What the tunnel is known at.
    ///   - apiKey: The key that the connector was given, if it was given one.
    ///   - ending: What each request to the target ends with.
    ///   - patience: How long a client may be silent.
    ///   - inboxes: Makes what asks the edge for messages, of the directory that has the tunnel.
    static func run(
        settings: TrafficInspection.Settings = TrafficInspection.Settings(),
        edge: String = "https://e.example",
        apiKey: String? = nil,
        ending: String = "\r\n\r\n",
        patience: TimeAmount = .seconds(30),
        inboxes: (TunnelDirectory) throws -> TunnelInboxes? = { _ in nil },
        body: (InspectorScene) async throws -> Void
    ) async throws {
        let origin = RecordingOrigin(answer: "HTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok", ending: ending)
        let port = try await origin.start()
        var settings = settings
        settings.address = InspectorAddress(port: 0)
        let inspection = TrafficInspection(settings: settings)
        let address = try EdgeAddress(parsing: edge)
        inspection.directory.opened(
            ServedTunnel(
                token: try TunnelToken(parsing: TokenText.signed(#"{"sub":"my-app"}"#)),
                edge: address,
                publicURL: "https://e.example/my-app/",
                target: try OriginTarget(parsing: "127.0.0.1:\(port)"),
                originTrust: OriginTrust(),
                connections: 1,
                access: try apiKey.map { EdgeAccess(edge: address, credentials: try Credentials(apiKey: $0)) }
            )
        )
        let (urls, continuation) = AsyncStream.makeStream(of: String.self)
        var server = InspectorServer(
            inspection: inspection,
            group: MultiThreadedEventLoopGroup.singleton,
            onOpen: { continuation.yield($0) },
            onFailure: { _ in continuation.finish() }
        )
        server.patience = patience
        server.inboxes = try inboxes(inspection.directory)
        let task = Task { [server] in await server.run() }
        defer { task.cancel() }
        let url = try #require(await urls.first { _ in true })
        let token = url.split(separator: "=").count > 1 ? url.split(separator: "=").last.map(String.init) : nil
        let client = InspectorClient(url: String(url.prefix { $0 != "?" }), token: token)
        try await body(InspectorScene(inspection: inspection, client: client, origin: origin))
        try await origin.stop()
    }
}
