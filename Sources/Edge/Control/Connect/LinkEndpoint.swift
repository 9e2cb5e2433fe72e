// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import HTTPTypes
import Logging
import Mux
import NIOCore
import Protocol

/// `GET /peer` on the listener for links: where other edges come, over a WebSocket as connectors do.
package struct LinkEndpoint: ConnectEndpoint {
    /// Makes the handler of a link that an edge has dialled; on the channel's event loop.
    package typealias MakeHandler =
        @Sendable (
            _ pod: PodID, _ signedBy: SigningKeyStamp, _ channel: any Channel
        ) -> any ChannelHandler

    private let tokens: LinkTokens
    private let own: PodID
    private let logger: Logger
    private let refused: @Sendable () -> Void
    private let makeHandler: MakeHandler

    /// Makes the endpoint.
    ///
    /// - Parameters:
    ///   - tokens: Verifies what edges show.
    ///   - own: This edge.
    ///   - logger: Where refusals are logged.
    ///   - refused: Counts them.
    ///   - makeHandler: Makes the handlers of links.
    package init(
        tokens: LinkTokens,
        own: PodID,
        logger: Logger,
        refused: @escaping @Sendable () -> Void,
        makeHandler: @escaping MakeHandler
    ) {
        self.tokens = tokens
        self.own = own
        self.logger = logger
        self.refused = refused
        self.makeHandler = makeHandler
    }

    package func decide(
        method: HTTPRequest.Method,
        tunnelID: String,
        fields: [(name: String, value: String)],
        remoteAddress: SocketAddress?,
        requestID: RequestID
    ) async -> ConnectDecision {
        let answer = ProblemAnswer(requestID: requestID)
        guard method == .get else { return answer.refuse(.methodNotAllowed(allowed: [.get])) }
        let responseFields: [WebSocketHandshake.Field]
        switch WebSocketHandshake.accept(fields: fields) {
        case .success(let fields): responseFields = fields
        case .failure(let refusal): return answer.refuse(refusal)
        }
        let credentials = fields.filter { $0.name.lowercased() == "authorization" }
        let token = credentials.count == 1 ? BearerCredential.token(in: credentials[0].value) : nil
        switch await self.tokens.verify(token, shownTo: self.own) {
        case .success(let (pod, signedBy)):
            return .accept(responseFields: responseFields) { [makeHandler] channel in
                makeHandler(pod, signedBy, channel)
            }
        case .failure(let refusal):
            self.refused()
            self.logger.notice(
                "link refused",
                metadata: ["why": "\(refusal.rawValue)", "remote": "\(remoteAddress?.ipAddress ?? "-")"]
            )
            return answer.refuse(.invalidToken)
        }
    }
}
