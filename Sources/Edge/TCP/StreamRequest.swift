// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import Mux
import NIOCore
import Protocol

/// What a stream for a visitor's connection is opened with.
struct StreamRequest: Sendable {
    /// What the bytes are.
    var kind: StreamKind
    /// What OPEN says.
    var metadata: OpenMetadata
    /// How long the connector has to reach the origin.
    var deadline: TimeAmount
    /// How many bytes may come back in a second; `nil` for any number.
    var bytesPerSecond: Int?
    /// What the stream begins with, on its way with OPEN.
    var firstBytes: [ByteBuffer]

    /// Opens the stream; on the session's event loop.
    ///
    /// - Parameters:
    ///   - session: Opens it.
    ///   - visitor: The end that it is joined to.
    /// - Throws: `OpenError`; nothing was sent.
    func open(on session: TunnelSession, for visitor: NIOLoopBound<JointEnd>) throws -> NIOLoopBound<JointEnd> {
        let pace = self.bytesPerSecond.map { BytePace(bytesPerSecond: $0, now: session.eventLoop.now) }
        let end = JointEnd(streamOn: session.eventLoop, pace: pace)
        let stream = try session.open(self.metadata, kind: self.kind, deadline: self.deadline) { stream in
            try stream.pipeline.syncOperations.addHandler(end)
        }
        return withExtendedLifetime(stream) {
            end.begin(with: self.firstBytes)
            end.join(visitor, given: 0)
            return NIOLoopBound(end, eventLoop: session.eventLoop)
        }
    }
}
