// SPDX-License-Identifier: Apache-2.0

import Mux
import NIOCore
import NIOEmbedded
import Testing

@testable import EdgeTCP

@Suite("Ends of a joint")
struct JointEndTests {
    /// Remembers what broke the joint.
    private final class Supervisor: JointSupervisor {
        var broken: [StreamError] = []
        func streamWasRefused(_ error: StreamError) -> Bool { false }
        func jointBroke(_ error: StreamError, byVisitor: Bool) { self.broken.append(error) }
    }

    @Test(
        "A stream that nobody has taken ends with the session's giving up, and takes the visitor along; a taken one goes on",
        arguments: [false, true]
    )
    func givenUp(wasAccepted: Bool) throws {
        let supervisor = Supervisor()
        let (visitor, stream) = (EmbeddedChannel(), EmbeddedChannel())
        let near = JointEnd(visitorOn: visitor.eventLoop, supervisor: supervisor)
        let far = JointEnd(streamOn: stream.eventLoop)
        try visitor.pipeline.syncOperations.addHandler(near)
        try stream.pipeline.syncOperations.addHandler(far)
        for channel in [visitor, stream] { try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait() }
        near.join(NIOLoopBound(far, eventLoop: stream.eventLoop), given: 0)
        far.join(NIOLoopBound(near, eventLoop: visitor.eventLoop), given: 0)
        func run() { for channel in [visitor, stream, visitor] { channel.embeddedEventLoop.run() } }
        if wasAccepted { stream.pipeline.fireUserInboundEventTriggered(StreamEvent.accepted) }
        run()
        stream.pipeline.fireUserInboundEventTriggered(StreamEvent.peerIsSilent)
        run()
        #expect(supervisor.broken.isEmpty, "it may go on")
        stream.pipeline.fireUserInboundEventTriggered(StreamEvent.peerIsGivenUp)
        run()
        #expect(supervisor.broken.map(\.origin) == (wasAccepted ? [] : [.sessionLost]))
        #expect(visitor.isActive == wasAccepted)
    }
}
