// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol
import Testing

@testable import Mux

/// An acceptor that reads before it answers, since it passes on what comes (docs/protocol.md §B.20).
@Suite("Streams that are relayed (B.20)")
struct RelayedStreamTests {
    /// A stream with bytes on it that its acceptor has not answered.
    private func pending(_ bytes: String = "GET", isFinished: Bool = false) -> (CorePair, StreamKey, StreamKey) {
        var pair = CorePair()
        let keys = pair.openPending()
        _ = pair.edge.takeEvents()
        pair.edge.core.write(keys.edge, ByteBuffer(string: bytes))
        if isFinished { pair.edge.core.finish(keys.edge) }
        pair.deliverAll()
        return (pair, keys.edge, keys.connector)
    }

    private func text(_ pair: inout CorePair, _ key: StreamKey) -> String? {
        guard case .bytes(let bytes) = pair.connector.core.read(key, now: pair.connector.now) else { return nil }
        return String(buffer: bytes)
    }

    @Test("What came before, and what comes after, is read without an answer, and nothing is sent")
    func reads() {
        var (pair, edge, connector) = self.pending(isFinished: true)
        let early = self.text(&pair, connector)
        #expect(early == nil)
        pair.connector.core.relay(connector)
        #expect(pair.connector.takeEvents().contains("readable"))
        let read = self.text(&pair, connector)
        #expect(read == "GET")
        guard case .end = pair.connector.core.read(connector, now: pair.connector.now) else {
            Issue.record("the end is not read")
            return
        }
        let isTaken = pair.connector.core.write(connector, ByteBuffer(string: "lost"))
        #expect(!isTaken)
        pair.deliverAll()
        let before = pair.edge.takeEvents()
        #expect(before == [])
        pair.connector.core.accept(connector)
        pair.connector.core.write(connector, ByteBuffer(string: "200"))
        pair.connector.core.finish(connector)
        pair.deliverAll()
        #expect(pair.edge.takeEvents().starts(with: ["accepted", "readable"]))
        #expect(pair.edge.drain(edge).isAtEnd == true)
        pair.edge.core.release(edge)
        pair.connector.core.release(connector)
        pair.deliverAll()
        #expect(pair.isAlive && pair.isClean)
    }

    @Test("A refusal is one although bytes were read: whoever relays knows that they went no further")
    func rejects() {
        var (pair, edge, connector) = self.pending()
        pair.connector.core.relay(connector)
        let read = self.text(&pair, connector)
        #expect(read == "GET")
        pair.connector.core.reject(connector, code: .connectRefused, reason: "ECONNREFUSED")
        pair.deliverAll()
        #expect(pair.edge.takeEvents() == ["closed CONNECT_REFUSED rejected retry-safe"])
        pair.edge.core.release(edge)
        pair.connector.core.release(connector)
        pair.deliverAll()
        #expect(pair.isAlive && pair.isClean)
    }

    @Test("Every other end before the answer promises nothing")
    func resets() {
        var (pair, edge, connector) = self.pending()
        pair.connector.core.relay(connector)
        let read = self.text(&pair, connector)
        #expect(read == "GET")
        pair.connector.core.release(connector)
        pair.deliverAll()
        #expect(pair.edge.takeEvents() == ["closed CANCELLED resetByPeer"])
        pair.edge.core.release(edge)
        pair.deliverAll()
        #expect(pair.isAlive && pair.isClean)
    }

    @Test("No more than the first window is under way before the answer, and credit follows it")
    func window() {
        var (pair, edge, connector) = self.pending(String(repeating: "x", count: 200_000))
        pair.connector.core.relay(connector)
        var read = 0
        for _ in 0..<100 {
            pair.deliverAll()
            read += self.text(&pair, connector)?.utf8.count ?? 0
        }
        #expect(read == 65_536)
        pair.connector.core.accept(connector)
        for _ in 0..<1_000 where read < 200_000 {
            pair.deliverAll()
            read += self.text(&pair, connector)?.utf8.count ?? 0
        }
        #expect(read == 200_000)
        pair.edge.core.release(edge)
        pair.connector.core.release(connector)
        pair.deliverAll()
        #expect(pair.isAlive && pair.isClean)
    }

    @Test("A stream that is over, or answered, or one's own, is not relayed")
    func refused() {
        var (pair, edge, connector) = self.pending()
        pair.edge.core.relay(edge)
        #expect(pair.edge.core.streams[edge.slot].state.phase == .pending)
        pair.connector.core.accept(connector)
        pair.connector.core.relay(connector)
        #expect(pair.connector.core.streams[connector.slot].state.phase == .open)
    }

    @Test("On a link a side that opens after a silence asks whether the other one is there, whichever it is")
    func suspicion() {
        for isLink in [true, false] {
            let change: (inout SessionConfiguration) -> Void = { configuration in
                configuration.settings.maximumStreams = 8
                if isLink { configuration.capabilities = .peer }
            }
            var pair = CorePair(edge: change, connector: change)
            pair.run(for: .seconds(1))
            pair.connector.tick(after: .seconds(6))
            _ = pair.connector.messages()
            _ = pair.connector.open()
            let pings = pair.connector.output().count { if case .ping = $0 { true } else { false } }
            #expect(pings == (isLink ? 1 : 0))
        }
    }
}
