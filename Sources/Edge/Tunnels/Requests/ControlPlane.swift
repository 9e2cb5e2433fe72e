// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import NIOCore

/// The control API: everything below `/api/` but the connectors' WebSocket.
package protocol ControlPlane: Sendable {
    /// The longest body of a call, in bytes; what is longer is cut off, to be refused.
    var maximumBodyLength: Int { get }

    /// Answers one call; never throws, never hangs, and every error is a problem+json.
    ///
    /// - Parameters:
    ///   - request: The head, with the path and query as they came.
    ///   - body: The whole body.
    ///   - remoteAddress: Where the caller connects from.
    ///   - requestID: The id under which the request is logged.
    func respond(
        to request: HTTPRequest,
        body: ByteBuffer,
        remoteAddress: SocketAddress?,
        requestID: RequestID
    ) async -> (HTTPResponse, ByteBuffer)
}
