// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

/// An edge and a connector as cores, with what each has sent and the other has not received yet between them.
struct CorePair {
    var edge: ScriptedSession
    var connector: ScriptedSession
    private var toConnector: [ByteBuffer] = []
    private var toEdge: [ByteBuffer] = []

    init(
        edge: (inout SessionConfiguration) -> Void = { _ in },
        connector: (inout SessionConfiguration) -> Void = { _ in }
    ) {
        self.edge = ScriptedSession(unconnected: .edge, configure: edge)
        self.connector = ScriptedSession(unconnected: .connector, configure: connector)
        self.deliverAll()
        _ = self.edge.takeEvents()
        _ = self.connector.takeEvents()
    }

    /// Both sides put what they have to send on its way.
    mutating func send() {
        self.toConnector += self.edge.messages()
        self.toEdge += self.connector.messages()
    }

    /// What is on its way arrives.
    mutating func deliver() {
        let (toConnector, toEdge) = (self.toConnector, self.toEdge)
        self.toConnector = []
        self.toEdge = []
        for message in toConnector { self.connector.receive(message: message) }
        for message in toEdge { self.edge.receive(message: message) }
    }

    /// Sends and delivers until nobody has anything to send.
    mutating func deliverAll() {
        repeat {
            self.send()
            guard !self.toConnector.isEmpty || !self.toEdge.isEmpty else { return }
            self.deliver()
        } while true
    }

    /// Time passes for both, in steps of at most a tick, and messages arrive.
    mutating func run(for amount: TimeAmount) {
        let step = SessionCore.tickInterval
        var left = amount
        while left > .zero {
            self.edge.tick(after: min(step, left))
            self.connector.tick(after: min(step, left))
            self.deliverAll()
            left = left - min(step, left)
        }
    }

    /// A stream that the edge opened and the connector accepted, by its keys.
    mutating func open() -> (edge: StreamKey, connector: StreamKey) {
        let keys = self.openPending()
        self.connector.core.accept(keys.connector)
        self.deliverAll()
        _ = self.edge.takeEvents()
        _ = self.connector.takeEvents()
        return keys
    }

    /// A stream that the edge opened and the connector has not answered.
    mutating func openPending() -> (edge: StreamKey, connector: StreamKey) {
        let edge = self.edge.open()
        self.deliverAll()
        var connector: StreamKey?
        for event in self.connector.takeRawEvents() {
            if case .opened(let key, _) = event { connector = key }
        }
        guard let connector else { preconditionFailure("OPEN did not arrive") }
        return (edge, connector)
    }

    /// Nothing is left of any stream on either side (docs/protocol.md §C.1, I12).
    var isClean: Bool {
        let edge = self.edge.core
        let connector = self.connector.core
        let allowance = connector.allowance
        return edge.streams.count == 0 && connector.streams.count == 0
            && edge.liveCount == 0 && connector.liveCount == 0
            && allowance.granted == allowance.concurrency + allowance.opened
            && Self.isSettled(from: edge.credit, to: connector.credit)
            && Self.isSettled(from: connector.credit, to: edge.credit)
    }

    /// Whether all that one side sent has come, and all credit for it has been given back.
    private static func isSettled(from sender: ConnectionCredit, to receiver: ConnectionCredit) -> Bool {
        sender.send.sent == receiver.receive.received && receiver.receive.received == receiver.receive.released
    }

    /// Neither side has ended the session.
    var isAlive: Bool { self.edge.endCode == nil && self.connector.endCode == nil }
}
