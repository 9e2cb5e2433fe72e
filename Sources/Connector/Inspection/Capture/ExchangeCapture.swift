// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// One exchange as it is captured: written by the event loop of its connection, read from any thread.
///
/// No function of it waits for anything but a lock that is held for a copy of at most one read buffer. What doesn't fit
/// the budget of the ring is counted and not kept.
package final class ExchangeCapture: Sendable {
    /// Identifies the exchange.
    package let id: CaptureID
    /// The tunnel that it came through.
    package let tunnel: String
    /// Requests of one connection share it.
    package let connection: UInt64
    /// What it repeats.
    package let replayOf: CaptureID?
    /// Whether it comes from an archive.
    package let isImported: Bool
    private let ring: CaptureRing
    private let state: Mutex<ExchangeState>

    init(
        id: CaptureID,
        origin: ExchangeOrigin,
        isImported: Bool = false,
        state: ExchangeState,
        ring: CaptureRing
    ) {
        self.id = id
        self.tunnel = origin.tunnel
        self.connection = origin.connection
        self.replayOf = origin.replayOf
        self.isImported = isImported
        self.ring = ring
        self.state = Mutex(state)
    }

    /// The exchange as it is now; the bytes are shared, not copied.
    package func snapshot() -> ExchangeSnapshot {
        ExchangeSnapshot(
            id: self.id,
            tunnel: self.tunnel,
            connection: self.connection,
            clock: self.ring.clock,
            replayOf: self.replayOf,
            isImported: self.isImported,
            state: self.state.withLock { $0 }
        )
    }

    // MARK: What passes

    /// The request's head passes now: it was prepared before there was a connection.
    package func started(at moment: NIODeadline) {
        self.state.withLock { $0.began = moment }
        self.ring.changed(self.id)
    }

    /// Bytes of the request's body have passed.
    package func requestBody(_ bytes: UnsafeRawBufferPointer, expected: UInt64?) {
        self.body(bytes, expected: expected) {
            $0.request.body
        } change: { state, append in
            append(&state.request.body)
        }
    }

    /// The request's end has passed, with its trailers.
    package func requestEnded(trailers: [UInt8], at moment: NIODeadline) {
        self.charge(trailers.count) { state, isKept in
            state.request.body.isComplete = true
            state.requestEnd = moment
            if isKept { state.request.trailers = trailers }
        }
    }

    /// The head of an interim response has passed.
    package func interim(_ head: [UInt8], at moment: NIODeadline) {
        guard self.state.withLock({ $0.interim.count < CaptureBudget.interimResponses }) else { return }
        self.charge(head.count + CaptureBudget.pieceBytes) { state, isKept in
            if isKept { state.interim.append(ExchangeState.Interim(head: head, moment: moment)) }
        }
        self.ring.changed(self.id)
    }

    /// The head of the final response has passed.
    package func responded(_ head: [UInt8], kind: ExchangeState.Kind, at moment: NIODeadline) {
        self.charge(head.count) { state, isKept in
            state.kind = kind
            state.response = MessageCapture(head: isKept ? head : [])
            state.responseHead = moment
            if kind == .websocket { state.frames = FrameLog() }
            if state.isGone { state.shed() }
        }
        self.ring.changed(self.id)
    }

    /// Bytes of the response's body have passed.
    ///
    /// - Parameters:
    ///   - bytes: The bytes, valid during the call.
    ///   - expected: The length of the body, if it is known.
    ///   - moment: When, if the moments are to be noted.
    package func responseBody(_ bytes: UnsafeRawBufferPointer, expected: UInt64?, at moment: NIODeadline?) {
        if let moment {
            self.charge(MemoryLayout<BodyCapture.Arrival>.stride) { state, isKept in
                if isKept { state.response?.body.arrived(at: moment) }
            }
        }
        self.body(bytes, expected: expected) {
            $0.response?.body
        } change: { state, append in
            guard var response = state.response else { return }
            state.response = nil
            append(&response.body)
            state.response = response
        }
    }

    /// The response's end has passed.
    package func responseEnded(trailers: [UInt8]) {
        self.charge(trailers.count) { state, isKept in
            state.response?.body.isComplete = true
            if isKept { state.response?.trailers = trailers }
        }
    }

    /// Bytes passed that are not looked at.
    package func passed(_ count: Int, from side: CaptureSide) {
        self.state.withLock { state in
            switch side {
            case .visitor: state.request.body.count(count)
            case .server:
                if state.response == nil { state.response = MessageCapture(head: []) }
                state.response?.body.count(count)
            }
        }
        self.ring.changed(self.id)
    }

    /// A message of a WebSocket is complete.
    package func frame(_ frame: FrameCapture) {
        let bytes = frame.bytes
        var isKept = self.ring.reserve(bytes)
        if !isKept {
            // Its own older messages make room.
            let freed = self.state.withLock { state in
                let freed = state.frames?.drop(bytes: bytes) ?? 0
                state.counted -= freed
                return freed
            }
            self.ring.release(freed)
            isKept = freed > 0 && self.ring.reserve(bytes)
        }
        let unused = self.state.withLock { state -> Int in
            guard isKept else {
                state.frames?.skip()
                return 0
            }
            let grown = state.frames?.append(frame) ?? 0
            state.counted += grown
            return bytes - grown
        }
        self.ring.release(unused)
        self.ring.changed(self.id)
    }

    /// What follows on the connection can't be read.
    package func lost(_ fault: String) {
        self.state.withLock { $0.fault = fault }
        self.ring.changed(self.id)
    }

    /// The exchange is over; only the first call has an effect.
    package func ended(_ ending: ExchangeState.Ending, at moment: NIODeadline) {
        let isFirst = self.state.withLock { state in
            guard state.ending == .open else { return false }
            state.ending = ending
            state.end = moment
            return true
        }
        if isFirst { self.ring.finished(self) }
    }

    /// Whether the exchange has ended.
    package var isOver: Bool { self.state.withLock { $0.ending != .open } }

    // MARK: The budget

    /// Gives the memory of bodies and messages back, and keeps no more of them.
    ///
    /// - Returns: How many bytes are given back.
    func shed() -> Int {
        self.state.withLock { state in
            let kept = CaptureBudget.exchangeBytes + state.request.head.count + (state.response?.head.count ?? 0)
            let freed = max(0, state.counted - kept)
            state.shed()
            state.counted -= freed
            return freed
        }
    }

    /// Gives all memory back: the exchange leaves the ring, and keeps nothing of what still passes.
    func leave() -> Int {
        self.state.withLock { state in
            state.shed()
            state.isGone = true
            defer { state.counted = 0 }
            return state.counted
        }
    }

    /// Changes the state by something that counts bytes, if there is room for them.
    private func charge(_ bytes: Int, _ change: (inout ExchangeState, _ isKept: Bool) -> Void) {
        let isReserved = self.ring.reserve(bytes)
        let isUnused = self.state.withLock { state in
            let isKept = isReserved && !state.isGone
            change(&state, isKept)
            if isKept { state.counted += bytes }
            return isReserved && !isKept
        }
        if isUnused { self.ring.release(bytes) }
    }

    private func body(
        _ bytes: UnsafeRawBufferPointer,
        expected: UInt64?,
        of body: (ExchangeState) -> BodyCapture?,
        change: (inout ExchangeState, (inout BodyCapture) -> Void) -> Void
    ) {
        let limit = self.ring.budget.body
        let growth = self.state.withLock { state in
            body(state)?.growth(for: bytes.count, expected: expected, limit: limit) ?? 0
        }
        self.charge(growth) { state, isKept in
            change(&state) { $0.append(bytes, growth: growth, isRefused: !isKept, limit: limit) }
        }
        self.ring.changed(self.id)
    }
}

/// Where an exchange comes from.
package struct ExchangeOrigin: Sendable {
    /// The id of the tunnel.
    package var tunnel: String
    /// Requests of one connection share it.
    package var connection: UInt64
    /// What it repeats.
    package var replayOf: CaptureID?

    /// Makes the description of an origin.
    package init(tunnel: String, connection: UInt64, replayOf: CaptureID? = nil) {
        self.tunnel = tunnel
        self.connection = connection
        self.replayOf = replayOf
    }
}
