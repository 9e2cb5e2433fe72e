// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import NIOCore

/// What the edge does with a connector's WebSocket upgrade.
package enum ConnectDecision: Sendable {
    /// Send this response and close the connection.
    case refuse(HTTPResponse, ByteBuffer)
    /// Send a 101 with these fields, then put the handler at the end of an otherwise empty pipeline, on its event loop.
    case accept(
        responseFields: [(name: String, value: String)],
        makeHandler: @Sendable (any Channel) -> any ChannelHandler
    )
}

/// `GET /api/tunnel/connect/{id}`: where connectors connect.
package protocol ConnectEndpoint: Sendable {
    /// Decides on an upgrade.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - tunnelID: The last segment of the path, as it came.
    ///   - fields: The header fields in the order of their arrival.
    ///   - remoteAddress: Where the connector connects from.
    ///   - requestID: The id under which the request is logged.
    func decide(
        method: HTTPRequest.Method,
        tunnelID: String,
        fields: [(name: String, value: String)],
        remoteAddress: SocketAddress?,
        requestID: RequestID
    ) async -> ConnectDecision
}
