// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import EdgeTunnels

@Suite("The connections of a listener that leaves")
struct VisitorConnectionsTests {
    private final class Connection: VisitorConnectionMember {
        private(set) var stages: [VisitorConnections.Stage] = []

        func listenerEntered(_ stage: VisitorConnections.Stage) { self.stages.append(stage) }
    }

    private let loop = EmbeddedEventLoop()

    @Test("Every connection is told of a later stage, once and on its event loop; a new one begins in it")
    func stages() {
        let (connections, one, other) = (VisitorConnections(), Connection(), Connection())
        #expect(connections.join(one, on: self.loop) == .serving)
        connections.enter(.leaving)
        connections.enter(.leaving)
        connections.enter(.serving)
        #expect(one.stages.isEmpty)
        self.loop.run()
        #expect(one.stages == [.leaving])
        #expect(connections.join(other, on: self.loop) == .leaving)
        connections.leave(one)
        connections.enter(.closing)
        self.loop.run()
        #expect(one.stages == [.leaving])
        #expect(other.stages == [.closing])
        #expect(connections.stage == .closing)
    }

    @Test("Whoever waits for the last connection is told of its end once, however often it leaves")
    func empty() {
        let (connections, one, other) = (VisitorConnections(), Connection(), Connection())
        let calls = NIOLockedValueBox(0)
        connections.whenEmpty { calls.withLockedValue { $0 += 1 } }
        #expect(calls.withLockedValue { $0 } == 1)
        _ = connections.join(one, on: self.loop)
        _ = connections.join(other, on: self.loop)
        connections.whenEmpty { calls.withLockedValue { $0 += 1 } }
        connections.leave(one)
        connections.leave(one)
        #expect(connections.count == 1)
        #expect(calls.withLockedValue { $0 } == 1)
        connections.leave(other)
        connections.leave(other)
        #expect(calls.withLockedValue { $0 } == 2)
    }
}
