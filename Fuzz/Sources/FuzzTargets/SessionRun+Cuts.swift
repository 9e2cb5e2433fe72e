// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

/// Connections that end, and others that go on with the session (docs/protocol.md §B.19).
extension SessionRun {
    private static let key = ResumeKey(bytes: Array(repeating: 1, count: ResumeKey.length))
    private static let id = Array(repeating: 7 as UInt8, count: 16)

    /// What both sides say so that the session can be resumed.
    static func makeResumable(_ configuration: inout SessionConfiguration, _ peer: inout SessionSettings) {
        configuration.capabilities.insert(.resume)
        let offer = { (settings: inout SessionSettings) in
            settings.sessionID = Self.id
            settings.resumeKey = Self.key
            settings.resumeMilliseconds = 30_000
        }
        if configuration.role == .edge { offer(&configuration.settings) } else { offer(&peer) }
    }

    /// The connection ends; or another one goes on, after whatever part of what was sent has arrived.
    mutating func cutOrReturn() throws {
        guard self.core.suspension != nil else {
            let isKept = self.core.suspend(reason: "cut by the fuzzer", now: self.now)
            return try Finding.unless(!isKept || self.core.isResumable, "a session is kept that can't be resumed")
        }
        let (acknowledged, sent) = (self.core.replay.acknowledged, self.core.replay.sent)
        let received: UInt64 =
            switch self.reader.number(below: 16) {
            case 0: sent + 1
            case 1: acknowledged &- 1
            default: acknowledged + UInt64(self.reader.number(below: Int(min(sent - acknowledged, 250)) + 1))
            }
        let isPossible = (acknowledged...sent).contains(received) && self.core.life.isRunning
        if self.core.role == .edge {
            let key = self.reader.number(below: 8) == 0 ? ResumeKey() : self.core.resumeKey ?? ResumeKey()
            let request = ResumeRequest(sessionID: Self.id, key: key, received: received)
            let isGranted = self.core.grants(request, bundle: nil)
            try Finding.unless(
                isGranted == (isPossible && key == self.core.resumeKey),
                "a return with \(received) of \(sent) messages is granted: \(isGranted)"
            )
            guard isGranted else { return }
            _ = self.core.helloOfReturn(to: request)
        } else {
            try Finding.unless(!self.core.life.isRunning || self.core.resumeRequest != nil, "nothing to come back with")
            guard self.core.life.isRunning else { return }
        }
        do {
            _ = try self.core.resume(received: received, key: self.core.peer?.resumeKey, now: self.now)
            try Finding.unless(isPossible, "\(received) of \(sent) messages are taken for received")
        } catch let violation as ProtocolViolation {
            try Finding.unless(!isPossible, "a return is refused: \(violation)")
            return self.core.transportFailed(violation)
        }
        try self.sendAgain(after: Int(received), of: Int(sent))
    }

    /// Exactly what has not arrived comes again, in order, unless the connection ends before.
    private mutating func sendAgain(after received: Int, of sent: Int) throws {
        var number = received
        while let again = self.core.nextAgain() {
            try Finding.unless(again.skipped == 0 && number < sent, "a message is sent again that has arrived")
            try Finding.unless(again.bytes == self.numbered[number], "I3: message \(number + 1) comes again changed")
            number += 1
            if self.reader.number(below: 16) == 0 {
                _ = self.core.suspend(reason: "cut again by the fuzzer", now: self.now)
                return
            }
        }
        try Finding.unless(number == sent, "I3: only \(number) of \(sent) messages come again")
    }
}
