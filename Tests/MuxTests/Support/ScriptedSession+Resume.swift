// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

extension ScriptedSession {
    /// The key that the edge's HELLO gives in these tests.
    static let key = ResumeKey()

    /// A session that can be resumed, after HELLO.
    static func resumable(_ role: SessionRole, milliseconds: UInt32 = 30_000) -> ScriptedSession {
        let offer = { (settings: inout SessionSettings) in
            settings.sessionID = Array(repeating: 7, count: 16)
            settings.resumeKey = Self.key
            settings.resumeMilliseconds = milliseconds
        }
        var session = ScriptedSession(unconnected: role) { configuration in
            configuration.capabilities = .resume
            if role == .edge { offer(&configuration.settings) }
        }
        session.sendKeeping()
        var peer = SessionSettings()
        peer.maximumStreams = 100
        if role == .connector { offer(&peer) }
        session.receive(.hello(HelloFrame(role: role.peer, capabilities: .resume, settings: peer)))
        let ping = session.sendKeeping().compactMap(\.pingNumber).first
        if let ping { session.receive(.pong(ping)) }
        _ = session.takeEvents()
        return session
    }

    /// Sends what there is, and keeps each message as a handler does.
    @discardableResult
    mutating func sendKeeping() -> [Frame] {
        var frames: [Frame] = []
        var message = ByteBuffer()
        while self.core.pollIfDue(into: &message, limit: 16_376, now: self.now) {
            self.core.keep(message)
            var decoder = FrameDecoder(message: message)
            while let frame = try? decoder.next() { if !frame.isExtension { frames.append(frame) } }
            message = ByteBuffer()
        }
        self.collect()
        return frames
    }

    /// What a connector says that has received so much.
    func request(
        received: UInt64,
        key: ResumeKey = Self.key,
        id: [UInt8] = Array(repeating: 7, count: 16)
    ) -> ResumeRequest {
        ResumeRequest(sessionID: id, key: key, received: received)
    }
}
