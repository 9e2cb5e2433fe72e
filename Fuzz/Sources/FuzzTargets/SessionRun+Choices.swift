// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

extension SessionRun {
    // MARK: Frames of the peer

    /// A frame near one that would be valid now.
    mutating func frame() -> Frame {
        let id = self.streamID()
        switch self.reader.number(below: 20) {
        case 0, 1: return .open(self.nextPeerID, self.open())
        case 2: return .open(id, self.open())
        case 3: return .openAck(id, OpenAckFrame(connectMicroseconds: 7))
        case 4: return .reject(id, self.code(), reason: "no")
        case 5..<9: return self.data(id)
        case 9: return .windowUpdate(id, offset: self.offset(near: self.oracle.credit[id] ?? 16_384))
        case 10: return .windowUpdate(.session, offset: self.offset(near: self.oracle.credit[.session] ?? 0))
        case 11:
            let slot = self.core.streams.slot(of: id)
            return .blocked(
                id,
                offset: self.offset(near: slot.map { self.core.streams[$0].receiveWindow.granted } ?? 0)
            )
        case 12: return .reset(id, self.code(), reason: "gone")
        case 13: return .stopSending(id, self.code())
        case 14: return .ping(UInt64(self.reader.byte()))
        case 15: return .pong(self.oracle.pings.first ?? UInt64(self.reader.byte()))
        case 16:
            return .goAway(
                GoAwayFrame(
                    isDrain: self.reader.number(below: 4) != 0,
                    lastStreamID: id,
                    code: self.reader.element(of: [.shutdown, .noError, .replaced, self.code()]),
                    graceMilliseconds: self.reader.element(of: [0, 30_000, .max])
                )
            )
        case 17: return .maximumStreams(self.reader.element(of: [5, 6, 8, 16, 0, .max]))
        case 18:
            return .extension(type: 0x80 | self.reader.byte(), id, length: self.reader.element(of: [0, 16, 60_000]))
        default: return self.rareFrame(id)
        }
    }

    private mutating func rareFrame(_ id: StreamID) -> Frame {
        switch self.reader.number(below: 8) {
        case 0: .hello(HelloFrame(role: self.oracle.role.peer, settings: SessionSettings()))
        case 1: .blocked(.session, offset: self.offset(near: self.core.credit.receive.granted))
        case 2..<5 where self.core.isResumable:
            .acknowledge(
                self.reader.element(
                    of: [self.core.replay.sent, self.core.replay.acknowledged, self.core.replay.sent + 1, 0, .max]
                )
            )
        default: .windowUpdate(id, offset: (self.oracle.credit[id] ?? 0) + 4_096)
        }
    }

    private var nextPeerID: StreamID {
        SessionCore.streamID(ordinal: self.core.allowance.nextOrdinal, role: self.oracle.role.peer)
    }

    /// A stream that is there, or one just beyond.
    private mutating func streamID() -> StreamID {
        let known = self.core.streams.indices.filter { self.core.streams.isUsed($0) }
            .map { self.core.streams[$0].id }.filter { $0 != .session }
        let choice = self.reader.byte()
        if choice < 200, !known.isEmpty { return known[Int(choice) % known.count] }
        switch choice % 4 {
        case 0: return self.nextPeerID
        case 1: return SessionCore.streamID(ordinal: self.core.openedCount + 1, role: self.oracle.role)
        case 2: return StreamID(rawValue: UInt32(1 + self.reader.number(below: 16)))
        default: return StreamID(rawValue: max(1, self.reader.integer()))
        }
    }

    private mutating func open() -> OpenFrame {
        let kind: StreamKind = self.reader.element(of: [.http, .tcp, .tls, .http, StreamKind(rawValue: 9)])
        let windows: [UInt32] = [65_536, 16_384, 0, 1, 16_777_216, 16_777_217, .max]
        var metadata = OpenMetadata(target: self.reader.number(below: 16) == 15 ? "" : "web")
        metadata.host = "example.com"
        return OpenFrame(
            kind: kind,
            priority: Priority(rawValue: UInt8(self.reader.number(below: 16))),
            window: self.reader.element(of: windows),
            deadlineMilliseconds: self.reader.element(of: [0, 1, 10_000, .max]),
            metadata: metadata
        )
    }

    /// DATA of lengths around the stream's credit.
    private mutating func data(_ id: StreamID) -> Frame {
        var credit = 16_384
        if let slot = self.core.streams.slot(of: id) {
            let window = self.core.streams[slot].receiveWindow
            credit = Int(window.granted - window.received)
        }
        let lengths = [0, 1, 63, 64, 500, 4_096, 16_352, credit / 2, credit, credit + 1, 65_000]
        let length = min(self.reader.element(of: lengths), 65_000)
        let isLast = self.reader.number(below: 8) == 0
        return .data(id, Pattern.bytes(at: 0, length), isLast: isLast)
    }

    private mutating func offset(near limit: UInt64) -> UInt64 {
        switch self.reader.number(below: 16) {
        case 0: WireFormat.maximumOffset
        case 1: limit &- 1 & WireFormat.maximumOffset
        case 2: limit + WireFormat.maximumGrant
        case 3: WireFormat.maximumGrant
        case 4: limit
        case 5: WireFormat.maximumOffset + 1
        case 6: self.reader.integer() >> 2
        default: limit + UInt64(self.reader.byte()) << 8
        }
    }

    private mutating func code() -> ErrorCode {
        self.reader.element(of: [
            .cancelled, .noError, .protocolError, .connectRefused, .sessionLost, ErrorCode(rawValue: .max),
            ErrorCode(rawValue: self.reader.integer()),
        ])
    }

    // MARK: What the owner does

    mutating func act() throws {
        let isOpening = self.keys.isEmpty || self.reader.number(below: 10) == 0
        if isOpening {
            guard self.keys.count < 16 else { return }
            let priority = Priority(rawValue: UInt8(self.reader.number(below: 16)))
            let deadline: TimeAmount = self.reader.element(of: [.seconds(10), .zero, .minutes(5)])
            let metadata = OpenMetadata(target: "web")
            guard
                let key = try? self.core.open(
                    kind: self.reader.element(of: [.http, .tcp]),
                    priority: priority,
                    metadata: metadata,
                    deadline: deadline,
                    now: self.now
                )
            else { return }
            self.keys.append(key)
            return
        }
        let key = self.keys[self.reader.number(below: self.keys.count)]
        switch self.reader.number(below: 16) {
        case 0, 1: self.core.accept(key)
        case 2:
            self.abandoned.insert(key)
            self.core.reject(key, code: .connectRefused, reason: "no")
        case 3..<7: try self.write(key)
        case 7: self.core.finish(key)
        case 8..<12: try self.readOnce(key)
        case 12:
            self.abandoned.insert(key)
            self.core.reset(key, code: .cancelled, reason: "enough")
        case 13: self.core.stopReading(key, code: .cancelled, now: self.now)
        case 14: self.release(key)
        default:
            while self.core.isReadable(key) { try self.readOnce(key) }
        }
    }

    private mutating func write(_ key: StreamKey) throws {
        let count = self.reader.element(of: [1, 0, 100, 4_096, 16_352, 40_000])
        let offset = self.written[key] ?? 0
        let queued = self.core.sendProgress(key).queued
        guard queued < 200_000 else { return }
        self.core.write(key, Pattern.bytes(at: offset, count))
        let added = self.core.sendProgress(key).queued - queued
        try Finding.unless(added == 0 || added == count, "I3: \(added) of \(count) bytes were queued")
        self.written[key] = offset + UInt64(added)
    }
}
