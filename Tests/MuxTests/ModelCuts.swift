// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

/// Connections that break at any byte, and others that go on with the sessions (docs/protocol.md §B.19).
extension ModelRun {
    /// A connection breaks, a side notices, or another one joins them, whatever comes next.
    mutating func cutOrJoin() throws {
        guard self.sides[0].core.phase == .active, self.sides[1].core.phase == .active else { return }
        guard !self.isJoined else { return try self.cut() }
        switch Int.random(in: 0..<4, using: &self.random) {
        case 0: self.notice(at: Int.random(in: 0...1, using: &self.random))
        case 1: try self.joinInVain()
        default: try self.join()
        }
    }

    /// Some of what is on its way still comes, to the middle of a message; the rest never does.
    private mutating func cut() throws {
        self.totals.cuts += 1
        for index in 0...1 {
            for _ in 0..<Int.random(in: 0...3, using: &self.random) { try self.deliver(to: index) }
            self.wires[index].clear()
            if self.mutation == .acknowledgedEarly, self.sides[index].decoder.takeRest().readableBytes > 0 {
                self.sides[index].core.received.received(0, owesAcknowledgement: true, now: self.now)
            }
            self.sides[index].decoder = ModelSide.decoder(self.sides[index].core.role)
        }
        self.isJoined = false
        if Bool.random(using: &self.random) { self.notice(at: Int.random(in: 0...1, using: &self.random)) }
    }

    private mutating func notice(at index: Int) {
        _ = self.sides[index].core.suspend(reason: "cut", now: self.now)
    }

    /// The edge's answer to a connector that comes back.
    private mutating func grant() throws -> HelloFrame {
        self.notice(at: 1)
        guard let request = self.sides[1].core.resumeRequest else {
            throw Violation(description: "the connector has nothing to come back with")
        }
        // Perhaps it has not noticed that the old connection is gone.
        self.notice(at: 0)
        guard self.sides[0].core.grants(request, bundle: nil) else {
            throw Violation(description: "the edge does not grant a return with \(request.received) received")
        }
        let hello = self.sides[0].core.helloOfReturn(to: request)
        try self.resume(0, received: request.received, key: nil)
        return hello
    }

    private mutating func resume(_ index: Int, received: UInt64, key: ResumeKey?) throws {
        self.totals.repeated += try self.sides[index].core.resume(received: received, key: key, now: self.now).repeated
    }

    /// A connection whose HELLO never reaches the connector.
    private mutating func joinInVain() throws {
        _ = try self.grant()
        for _ in 0..<Int.random(in: 0...3, using: &self.random) { try self.emit(from: 0) }
    }

    /// Another connection goes on.
    mutating func join() throws {
        let hello = try self.grant()
        guard let received = hello.settings.resumed else { throw Violation(description: "HELLO without RESUMED") }
        self.isJoined = true
        try self.resume(1, received: received, key: hello.settings.resumeKey)
    }

    /// Sends again what an earlier connection may not have brought; whether there was anything.
    mutating func emitAgain(from index: Int) -> Bool {
        guard let again = self.sides[index].core.nextAgain() else { return false }
        if self.mutation == .tailLost, !self.sides[index].core.replay.isRestarting { return true }
        var bytes = again.bytes
        bytes.skipMessages(again.skipped, isMasked: self.sides[index].core.role == .connector)
        if self.isJoined { self.wires[1 - index].writeImmutableBuffer(bytes) }
        return true
    }

    /// When both have nothing more to say, everything is acknowledged.
    mutating func settleAcknowledgements() throws {
        for _ in 0..<6 {
            self.now = self.now + .milliseconds(300)
            for index in 0...1 {
                self.sides[index].core.tick(now: self.now)
                try self.emit(from: index)
                while self.wires[1 - index].readableBytes > 0 { try self.deliver(to: 1 - index) }
            }
        }
        for index in 0...1 {
            try ModelInvariants.require(
                self.sides[index].core.replay.waitingSince == nil,
                "side \(index) waits for an acknowledgement at the end"
            )
        }
    }
}

extension ModelSide {
    /// What a side says so that the session can be resumed.
    static func makeResumable(_ configuration: inout SessionConfiguration) {
        configuration.capabilities.insert(.resume)
        guard configuration.role == .edge else { return }
        configuration.settings.sessionID = Array(repeating: 7, count: 16)
        configuration.settings.resumeKey = ResumeKey()
    }
}
