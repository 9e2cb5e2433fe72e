// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

/// A stream of a ``ScriptedSession`` in one of the states of docs/protocol.md §B.6, with nothing left to send.
struct ScriptedStream {
    var session: ScriptedSession
    let id: StreamID
    var key: StreamKey

    /// How a stream stands.
    enum Standing: String, CaseIterable, CustomStringConvertible {
        case idleOwn = "idle, a number of ours"
        case idlePeer = "idle, a number of the peer's"
        case acceptorPending = "live, acceptor, pending"
        case acceptorOpen = "live, acceptor, open"
        case openerPending = "live, opener, pending"
        case openerOpen = "live, opener, open"
        case stopped = "live, receiving stopped"
        case receivedFin = "live, FIN received"
        case sentFin = "live, FIN sent"
        case zombieOfReset = "zombie after RESET"
        case zombieOfReject = "zombie after REJECT"
        case closed = "closed"

        var description: String { self.rawValue }

        static let idle: [Standing] = [.idleOwn, .idlePeer]
        static let live: [Standing] = [
            .acceptorPending, .acceptorOpen, .openerPending, .openerOpen, .stopped, .receivedFin, .sentFin,
        ]
        static let zombies: [Standing] = [.zombieOfReset, .zombieOfReject]
    }

    init(
        _ standing: Standing,
        kind: StreamKind = .http,
        window: UInt32 = 65_536,
        configure: (inout SessionConfiguration) -> Void = { _ in }
    ) {
        var session = ScriptedSession(configure: configure)
        switch standing {
        case .idleOwn, .idlePeer:
            self.id = standing == .idleOwn ? 1 : 2
            self.key = StreamKey(slot: 99, generation: 0)
        case .openerPending, .openerOpen:
            self.id = 1
            self.key = session.open(kind: kind)
            _ = session.output()
            if standing == .openerOpen { session.receive(.openAck(1, OpenAckFrame())) }
        default:
            self.id = 2
            self.key = session.accepting(2, kind: kind, window: window)
            if standing != .acceptorPending, standing != .zombieOfReject { session.core.accept(self.key) }
            _ = session.output()
            switch standing {
            case .stopped: session.core.stopReading(self.key, code: .cancelled, now: session.now)
            case .receivedFin: session.receive(.bytes(2, 0, isLast: true))
            case .sentFin: session.core.finish(self.key)
            case .zombieOfReset: session.core.reset(self.key, code: .cancelled)
            case .zombieOfReject: session.core.reject(self.key, code: .connectRefused)
            case .closed: session.receive(.reset(2, .cancelled, reason: ""))
            default: break
            }
            _ = session.output()
        }
        _ = session.takeEvents()
        self.session = session
    }

    /// How the core sees the stream's number.
    var wire: StreamRecord.Wire? {
        self.session.core.streams.slot(of: self.id).map { self.session.core.streams[$0].wire }
    }

    /// The state of the stream, while it has one on the wire.
    var state: StreamState? {
        self.session.core.streams.slot(of: self.id).map { self.session.core.streams[$0].state }
    }
}

extension ScriptedSession {
    /// Opens a stream of ours, not yet serialised.
    mutating func open(kind: StreamKind = .http, deadline: TimeAmount = .seconds(10)) -> StreamKey {
        do {
            return try self.core.open(
                kind: kind,
                metadata: OpenMetadata(target: "web"),
                deadline: deadline,
                now: self.now
            )
        } catch {
            preconditionFailure("a scripted session can open streams: \(error)")
        }
    }

    /// The peer opens a stream, which waits for its answer.
    mutating func accepting(_ id: StreamID, kind: StreamKind = .http, window: UInt32 = 65_536) -> StreamKey {
        self.receive(.opening(id, kind: kind, window: window))
        guard let slot = self.core.streams.slot(of: id) else { preconditionFailure("OPEN made no stream") }
        return self.core.streams.key(of: slot)
    }

    /// The peer opens a stream and it is accepted; OPEN_ACK has gone out.
    mutating func accepted(_ id: StreamID, kind: StreamKind = .http, window: UInt32 = 65_536) -> StreamKey {
        let key = self.accepting(id, kind: kind, window: window)
        self.core.accept(key)
        _ = self.output()
        _ = self.takeEvents()
        return key
    }

    /// Reads all there is of a stream.
    mutating func drain(_ key: StreamKey) -> (bytes: Int, isAtEnd: Bool) {
        var count = 0
        while true {
            switch self.core.read(key, now: self.now) {
            case .bytes(let bytes): count += bytes.readableBytes
            case .end: return (count, true)
            case .nothing: return (count, false)
            }
        }
    }
}
