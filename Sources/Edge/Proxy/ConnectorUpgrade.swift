// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import HTTP1
import HTTPTypes
import NIOCore

/// A connector, or a visitor with an access token, that asks for its WebSocket: lets the endpoint decide, and makes way for the session that speaks over the
/// connection from then on.
final class ConnectorUpgrade: Responder {
    private let head: RequestHead
    private let request: IncomingRequest
    private let tunnelID: String
    private let endpoint: any ConnectEndpoint
    private var sink: (any ResponseSink)?

    /// - Parameters:
    ///   - tunnelID: The last segment of the path, as it came.
    ///   - endpoint: Decides.
    init(_ head: RequestHead, _ request: IncomingRequest, tunnelID: String, endpoint: any ConnectEndpoint) {
        self.head = head
        self.request = request
        self.tunnelID = tunnelID
        self.endpoint = endpoint
    }

    let turn = Turn.neither

    func begin(_ sink: any ResponseSink) {
        self.sink = sink
        let bound = NIOLoopBound(self, eventLoop: self.request.eventLoop)
        let (endpoint, remoteAddress) = (self.endpoint, self.request.callerAddress)
        let method = HTTPRequest.Method(self.head.methodText) ?? .get
        self.request.eventLoop.makeFutureWithTask {
            [fields = self.head.section.textFields, tunnelID = self.tunnelID, id = self.request.id] in
            await endpoint.decide(
                method: method,
                tunnelID: tunnelID,
                fields: fields,
                remoteAddress: remoteAddress,
                requestID: id
            )
        }
        .whenSuccess { decision in bound.value.decided(decision) }
    }

    private func decided(_ decision: ConnectDecision) {
        guard let sink = self.sink.take() else { return }
        switch decision {
        case .refuse(let response, let body):
            sink.handOver(to: EdgeAnswer(self.request, .whole(response, body, isLast: true)))
        case .accept(let fields, let makeHandler):
            let bytes = HeadWriter.response(status: 101) { head in
                for field in fields { head.field(named: field.name, field.value) }
            }
            self.request.answered(bytes, status: 101, isFinal: true)
            self.request.finish()
            sink.upgrade(bytes, makeHandler)
        }
    }

    func deadlinePassed(_ kind: ConnectionDeadlines.Kind) {}

    func visitorLeft(isBroken: Bool) {
        self.sink = nil
        self.request.finish()
    }
}
