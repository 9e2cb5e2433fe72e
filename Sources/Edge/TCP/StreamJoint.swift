// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import Mux
import NIOCore
import Protocol

/// Passes a stream that another edge has opened on to a connector (docs/protocol.md §B.20): byte for byte, with the
/// connector's answer as the answer.
package enum StreamJoint {
    /// Opens the connector's stream and joins the two; on the event loop of the stream.
    ///
    /// - Parameters:
    ///   - stream: The stream, which has not been answered.
    ///   - session: A session of this edge that serves the tunnel.
    package static func relay(_ stream: StreamChannel, over session: TunnelSession) {
        guard let opening = stream.opening, case .success(var metadata) = opening.metadata else {
            return stream.reject(code: .protocolError, reason: "OPEN can't be read")
        }
        let end = JointEnd(streamOn: stream.eventLoop)
        do {
            try stream.pipeline.syncOperations.addHandler(end)
        } catch {
            return stream.reject(code: .internalError, reason: "the stream could not be set up")
        }
        metadata.target = session.target
        let request = StreamRequest(
            kind: opening.kind,
            metadata: metadata,
            // The opener gives up by itself, a little later.
            deadline: opening.deadlineMilliseconds == 0
                ? .seconds(10) : .milliseconds(Int64(opening.deadlineMilliseconds)),
            firstBytes: []
        )
        stream.relay()
        let near = NIOLoopBound(end, eventLoop: stream.eventLoop)
        if session.eventLoop === stream.eventLoop {
            Self.opened(Result { try request.open(on: session, for: near) }, for: stream, end)
        } else {
            let bound = NIOLoopBound((stream, end), eventLoop: stream.eventLoop)
            session.eventLoop.execute {
                let result = Result { try request.open(on: session, for: near) }
                bound.eventLoop.execute { Self.opened(result, for: bound.value.0, bound.value.1) }
            }
        }
    }

    private static func opened(
        _ result: Result<NIOLoopBound<JointEnd>, any Error>,
        for stream: StreamChannel,
        _ end: JointEnd
    ) {
        switch result {
        case .success(let far):
            // The opener has left while the stream was opened on another event loop.
            guard stream.isActive else { return far.eventLoop.execute { far.value.leave() } }
            end.join(far, given: 0)
        case .failure(let error):
            let isFull = error as? OpenError == .tooManyWaiting
            stream.reject(
                code: isFull ? .overloaded : .draining,
                reason: isFull ? "the connector takes no more streams" : "the connector is leaving"
            )
        }
    }
}
