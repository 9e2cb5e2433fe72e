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
    /// The number of the last change that somebody watched for.
    let change = Atomic<UInt64>(0)
    /// Set and read while the store is locked.
    private let isGone = Atomic<Bool>(false)
    private let store: CaptureStore
    private let memory: Mutex<ExchangeMemory>

    /// Makes one whose request's head has passed.
    ///
    /// - Parameters:
    ///   - head: The head, byte for byte.
    ///   - dropped: The names of its fields that are not kept.
    ///   - end: When the end of the request passed, if that was at once.
    @inline(__always)
    init(
        id: CaptureID,
        origin: ExchangeOrigin,
        head: [UInt8],
        dropped: [String],
        kind: ExchangeState.Kind,
        end: NIODeadline?,
        began: NIODeadline,
        store: CaptureStore
    ) {
        self.id = id
        self.tunnel = origin.tunnel
        self.connection = origin.connection
        self.replayOf = origin.replayOf
        self.isImported = false
        self.store = store
        if end == began, dropped.isEmpty, kind == .http {
            self.memory = Mutex(ExchangeMemory(request: head, began: began))
        } else {
            let state = ExchangeState(head: head, dropped: dropped, kind: kind, end: end, began: began)
            self.memory = Mutex(ExchangeMemory(state))
        }
    }

    /// Makes one with a state that is there already.
    init(id: CaptureID, origin: ExchangeOrigin, isImported: Bool, state: consuming ExchangeState, store: CaptureStore) {
        self.id = id
        self.tunnel = origin.tunnel
        self.connection = origin.connection
        self.replayOf = origin.replayOf
        self.isImported = isImported
        self.store = store
        self.memory = Mutex(ExchangeMemory(state))
    }

    deinit {
        // What was nobody's but the store's leaves in this way; what has left before counts nothing any more.
        self.store.release(self.memory.withLock { $0.counted })
    }

    /// The exchange as it is now; the bytes are shared, but for those of short responses.
    package func snapshot() -> ExchangeSnapshot {
        ExchangeSnapshot(
            id: self.id,
            tunnel: self.tunnel,
            connection: self.connection,
            clock: self.store.clock,
            replayOf: self.replayOf,
            isImported: self.isImported,
            state: self.memory.withLock { $0.state }
        )
    }

    // MARK: What passes

    /// The request's head passes now: it was prepared before there was a connection.
    package func started(hasBody: Bool = true, at moment: NIODeadline) {
        self.withState { state in
            state.began = moment
            if !hasBody { state.endRequest(at: moment) }
        }
        self.store.changed(self, isOver: false)
    }

    /// Bytes of the request's body have passed.
    package func requestBody(_ bytes: UnsafeRawBufferPointer, expected: UInt64?) {
        self.body(bytes, from: .visitor, expected: expected)
    }

    /// The request's end has passed, with its trailers.
    package func requestEnded(trailers: [UInt8], at moment: NIODeadline) {
        var (trailers, isOver) = (trailers, false)
        let dropped = self.store.dropped.remove(from: &trailers, hasLine: false)
        self.charge(trailers.count) { state, isKept in
            state.endRequest(at: moment)
            state.request.note(dropped)
            if isKept { state.request.trailers = trailers }
            isOver = state.ending != .open
        }
        // While it is open, its end is noted.
        if isOver { self.store.changed(self, isOver: true) }
    }

    /// The head of an interim response has passed.
    package func interim(_ head: [UInt8], at moment: NIODeadline) {
        guard self.withState({ $0.interim.count < CaptureBudget.interimResponses }) else { return }
        var head = head
        _ = self.store.dropped.remove(from: &head)
        self.charge(head.count + CaptureBudget.pieceBytes) { state, isKept in
            if isKept { state.interim.append(ExchangeState.Interim(head: head, moment: moment)) }
        }
        self.store.changed(self, isOver: false)
    }

    /// The head of the final response has passed.
    package func responded(_ head: [UInt8], kind: ExchangeState.Kind, at moment: NIODeadline) {
        var head = head
        let dropped = self.store.dropped.remove(from: &head)
        self.charge(head.count) { state, isKept in
            state.kind = kind
            state.response = MessageCapture(head: isKept ? head : [])
            if !dropped.isEmpty { state.response?.note(dropped) }
            state.responseHead = moment
            if kind == .websocket { state.frames = FrameLog() }
            if state.isGone { state.shed() }
        }
        self.store.changed(self, isOver: false)
    }

    /// The whole final response has passed at once, and with it the exchange.
    ///
    /// - Parameters:
    ///   - message: Its head and its body, one behind the other; valid during the call.
    ///   - count: How long the head is.
    ///   - moment: When.
    package func answered(_ message: UnsafeRawBufferPointer, headCount count: Int, at moment: NIODeadline) {
        let body = UnsafeRawBufferPointer(rebasing: message.dropFirst(count))
        let kept = UnsafeRawBufferPointer(rebasing: message.prefix(count + min(body.count, self.store.budget.body)))
        if self.store.dropped.isEmpty, self.store.reserve(kept.count) {
            let isFirst = self.memory.withLock { $0.end(with: kept, head: count, size: body.count, at: moment) }
            if let isFirst {
                return isFirst ? self.store.finished(self) : self.store.changed(self, isOver: true)
            }
            self.store.release(kept.count)
        }
        // It is kept as far as there is room, which is found piece by piece.
        self.responded([UInt8](message.prefix(count)), kind: .http, at: moment)
        if !body.isEmpty { self.responseBody(body, expected: UInt64(body.count), at: nil) }
        self.completed(trailers: [], at: moment)
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
        self.body(bytes, from: .server, expected: expected)
    }

    /// The response's end has passed, and with it the exchange.
    package func completed(trailers: [UInt8], at moment: NIODeadline) {
        var (trailers, isFirst) = (trailers, false)
        let dropped = self.store.dropped.remove(from: &trailers, hasLine: false)
        self.charge(trailers.count) { state, isKept in
            state.response?.body.isComplete = true
            if !dropped.isEmpty { state.response?.note(dropped) }
            if isKept { state.response?.trailers = trailers }
            isFirst = state.end(.complete, at: moment)
        }
        if isFirst { self.store.finished(self) }
    }

    /// Bytes passed that are not looked at.
    package func passed(_ count: Int, from side: CaptureSide) {
        let isOver = self.withState { state in
            switch side {
            case .visitor: state.request.body.count(count)
            case .server:
                if state.response == nil { state.response = MessageCapture(head: []) }
                state.response?.body.count(count)
            }
            return state.ending != .open
        }
        self.store.changed(self, isOver: isOver)
    }

    /// A message of a WebSocket is complete.
    package func frame(_ frame: FrameCapture) {
        let missing = self.withState { state -> Int in
            let growth = state.frames?.growth(for: frame) ?? 0
            guard self.store.take(growth) else { return growth }
            self.store.release(state.append(frame, growth: growth))
            return 0
        }
        if missing > 0 { self.makeRoomAndAppend(frame, missing) }
        self.store.changed(self, isOver: false)
    }

    /// The same where others have to make room, which may be this one: its lock is not held meanwhile.
    private func makeRoomAndAppend(_ frame: FrameCapture, _ bytes: Int) {
        var isReserved = self.store.reserve(bytes)
        self.withState { state in
            if !isReserved {
                // Its own older messages make room.
                let freed = state.frames?.drop(bytes: bytes) ?? 0
                state.counted -= freed
                self.store.release(freed)
                isReserved = self.store.take(bytes)
            }
            if isReserved {
                self.store.release(state.append(frame, growth: bytes))
            } else {
                state.frames?.skip()
            }
        }
    }

    /// What follows on the connection can't be read.
    package func lost(_ fault: String) {
        let isOver = self.withState { state in
            state.fault = fault
            return state.ending != .open
        }
        self.store.changed(self, isOver: isOver)
    }

    /// The exchange is over; only the first call has an effect.
    package func ended(_ ending: ExchangeState.Ending, at moment: NIODeadline) {
        if self.withState({ $0.end(ending, at: moment) }) { self.store.finished(self) }
    }

    /// Whether the exchange has ended.
    package var isOver: Bool { self.memory.withLock { $0.isOver } }

    // MARK: The budget

    /// Gives the memory of bodies and messages back, and keeps no more of them.
    ///
    /// - Returns: How many bytes are given back.
    func shed() -> Int {
        self.memory.withLock { memory in
            guard !memory.isHeadAlone else { return 0 }
            return memory.change { state in
                let kept = CaptureBudget.exchangeBytes + state.request.head.count + (state.response?.head.count ?? 0)
                let freed = max(0, state.counted - kept)
                state.shed()
                state.counted -= freed
                return freed
            }
        }
    }

    /// Whether the exchange has left the ring; true of it as long as the store is locked.
    var hasLeft: Bool { self.isGone.load(ordering: .relaxed) }

    /// Gives all memory back: the exchange leaves the ring, and keeps nothing of what still passes.
    ///
    /// Called by the store, which is locked.
    func leave() -> Int {
        self.isGone.store(true, ordering: .relaxed)
        return self.withState { state in
            state.shed()
            state.isGone = true
            defer { state.counted = 0 }
            return state.counted
        }
    }

    // MARK: Pieces

    private func withState<Value: Sendable>(_ change: (inout ExchangeState) -> Value) -> Value {
        self.memory.withLock { $0.change(change) }
    }

    /// Changes the state by something that counts bytes, if there is room for them.
    private func charge(_ bytes: Int, _ change: (inout ExchangeState, _ isKept: Bool) -> Void) {
        let isDone = self.withState { state in
            let isKept = !state.isGone && self.store.take(bytes)
            guard isKept || state.isGone else { return false }
            change(&state, isKept)
            if isKept { state.counted += bytes }
            return true
        }
        if !isDone { self.makeRoomAndCharge(bytes, change) }
    }

    /// The same where others have to make room, which may be this one: its lock is not held meanwhile.
    private func makeRoomAndCharge(_ bytes: Int, _ change: (inout ExchangeState, _ isKept: Bool) -> Void) {
        let isReserved = self.store.reserve(bytes)
        let isUnused = self.withState { state in
            let isKept = isReserved && !state.isGone
            change(&state, isKept)
            if isKept { state.counted += bytes }
            return isReserved && !isKept
        }
        if isUnused { self.store.release(bytes) }
    }

    private func body(_ bytes: UnsafeRawBufferPointer, from side: CaptureSide, expected: UInt64?) {
        let limit = self.store.budget.body
        let (missing, isOver) = self.withState { state -> (Int, Bool) in
            let growth = state.growth(of: side, for: bytes.count, expected: expected, limit: limit)
            let isOver = state.ending != .open
            guard growth == 0 || state.isGone || self.store.take(growth) else { return (growth, isOver) }
            if !state.isGone { state.counted += growth }
            state.append(bytes, from: side, growth: growth, isRefused: state.isGone, limit: limit)
            return (0, isOver)
        }
        if missing > 0 {
            self.makeRoomAndCharge(missing) { state, isKept in
                state.append(bytes, from: side, growth: missing, isRefused: !isKept, limit: limit)
            }
        }
        self.store.changed(self, isOver: isOver)
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
