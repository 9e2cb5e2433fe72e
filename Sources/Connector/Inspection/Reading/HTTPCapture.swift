// SPDX-License-Identifier: Apache-2.0

import HTTP1
import NIOCore

/// Reads the bytes of one connection after they have passed, and tells its listeners which requests are made and how
/// they are answered.
///
/// It keeps an unfinished head of each direction and a few open requests, however long the connection lives. After
/// anything that it can't parse it stops reading; the requests that are open then end with the connection. After an
/// upgrade to a WebSocket it reads messages, if these are kept.
package struct HTTPCapture {
    private enum State {
        case reading
        /// The origin has closed its direction: what is asked from now on gets no response.
        case unanswered
        /// The bytes after an upgrade are messages, which the recorder keeps.
        case messages
        /// What follows belongs to another protocol, or can't be parsed; it is counted, if anybody keeps counts.
        case stopped
        case closed
    }

    /// What reads the messages of a WebSocket in either direction.
    private struct MessageReaders {
        var visitor: WebSocketReader
        var server: WebSocketReader
    }

    private struct Open {
        /// What is shown and logged; `nil` where it is neither.
        var exchange: Exchange?
        let record: ExchangeCapture?
        let began: NIODeadline
        let isHead: Bool
        let isConnect: Bool
        let asksForWebSocket: Bool
        var status: Int?
        /// Whether the listeners have yet to be told of the response's head.
        var isHeld = false
    }

    /// A body that is passing.
    private struct Body {
        var record: ExchangeCapture?
        var length: UInt64?
        /// Whether the moments of its pieces are noted.
        var isEventStream = false
    }

    private let listeners: CaptureListeners
    private var state = State.reading
    /// Not part of the state, so that to look at the state is no copy of them.
    private var messages: MessageReaders?
    private var requests = MessageFollower(isRequest: true)
    private var responses = MessageFollower(isRequest: false)
    private var open: [Open] = []
    private var upload = Body()
    private var download = Body()
    /// What the bytes are counted for that belong to no request.
    private var counted: ExchangeCapture?
    /// Whether the local server has closed its direction in order.
    private var isServerFinished = false
    /// Whether a place for an inflater was taken.
    private var inflaters: InflaterQuota.Place?

    /// The most requests that may be unanswered on one connection; with more of them the capture stops reading.
    package static let maximumOpen = 16
    /// Longest path that is shown and logged, in bytes.
    package static let longestPath = 1_024

    /// - Parameter listeners: Who is told.
    package init(_ listeners: CaptureListeners) {
        self.listeners = listeners
    }

    // MARK: Bytes

    /// Takes bytes that were passed to the origin.
    package mutating func requestBytes(_ bytes: ByteBuffer, now: NIODeadline) {
        var bytes = bytes
        while self.readsRequests, self.requests.isDue(bytes) {
            let record = self.upload.record
            let length = self.upload.length
            let step = self.requests.next(&bytes) { record?.requestBody($0, expected: length) }
            switch step {
            case .needsMore: return
            case .request(let head): self.began(head, now: now)
            case .end(let trailers):
                record?.requestEnded(trailers: Self.bytes(of: trailers), at: now)
                self.upload = Body()
            case .unreadable(let fault): self.stopReading(fault, side: .visitor, now: now)
            case .response: return
            }
        }
        self.passed(bytes, from: .visitor, now: now)
    }

    /// Takes bytes that were passed to the visitor.
    package mutating func responseBytes(_ bytes: ByteBuffer, now: NIODeadline) {
        self.readResponses(bytes, now: now)
        // Most responses have ended by now, and were told of at once.
        if !self.open.isEmpty, self.open[0].isHeld { self.tellHead() }
    }

    private mutating func readResponses(_ bytes: ByteBuffer, now: NIODeadline) {
        var bytes = bytes
        while case .reading = self.state, self.responses.isDue(bytes) {
            let download = self.download
            let step = self.responses.next(&bytes) {
                download.record?.responseBody($0, expected: download.length, at: download.isEventStream ? now : nil)
            }
            switch step {
            case .needsMore: return
            case .response(let head): self.answered(head, followedBy: &bytes, now: now)
            case .end(let trailers):
                self.completeFirst(trailers: Self.bytes(of: trailers), now: now)
            case .unreadable(let fault): self.stopReading(fault, side: .server, now: now)
            case .request: return
            }
        }
        self.passed(bytes, from: .server, now: now)
    }

    /// The origin has closed its direction, which ends a response that has no length (RFC 9112 §6.3), and is the reason
    /// why other requests get none.
    package mutating func responsesFinished(now: NIODeadline) {
        self.isServerFinished = true
        guard case .reading = self.state else { return }
        if self.responses.endsWithConnection {
            self.completeFirst(trailers: [], now: now)
        }
        self.state = .unanswered
        self.endAll(.localClosed, now: now)
    }

    /// The visitor or the edge wants no more of the responses; what the local server still sends is dropped.
    ///
    /// After an upgrade that is how a visitor leaves, and says nothing of what passed before.
    package mutating func responsesUnwanted(now: NIODeadline) {
        guard case .reading = self.state else { return }
        self.endAll(.streamFailed, now: now)
        self.state = .stopped
    }

    /// The connection is closed.
    ///
    /// - Parameters:
    ///   - ending: How.
    ///   - now: The time.
    package mutating func closed(_ ending: PipeEnding, now: NIODeadline) {
        // What came first is the cause: an edge gives up a stream on which the local server has nothing more to say.
        let ending = self.isServerFinished && ending == .streamFailed ? .localClosed : ending
        switch self.state {
        case .closed: return
        case .reading: self.endAll(ending, now: now)
        // The edge gives up because there will be no response.
        case .unanswered: self.endAll(.localClosed, now: now)
        case .stopped, .messages:
            // All that is known of a response is that no error ended it.
            while ending.isClean, self.open.first?.status != nil { self.endFirst(.complete, now: now) }
            self.endAll(ending, now: now)
        }
        self.state = .closed
        self.counted?.ended(ending.isClean ? .complete : .failed(ending.reason(hasStatus: true)), at: now)
        self.counted = nil
        self.messages = nil
        self.inflaters = nil
    }

    /// Whether requests are looked at.
    private var readsRequests: Bool {
        switch self.state {
        case .reading, .unanswered: true
        case .messages, .stopped, .closed: false
        }
    }

    // MARK: Heads

    private mutating func began(_ head: RequestHead, now: NIODeadline) {
        guard self.open.count < Self.maximumOpen else {
            return self.stopReading(.malformed("too many requests without a response"), side: .visitor, now: now)
        }
        var exchange: Exchange?
        if self.listeners.report != nil { exchange = Self.exchange(of: head) }
        // Of most requests the end is known with the head.
        let hasBody = head.framing != .none
        let record = self.listeners.recorder?.begin(head.section.bytes, hasBody: hasBody, at: now)
        self.open.append(
            Open(
                exchange: exchange,
                record: record,
                began: now,
                isHead: head.isHead,
                isConnect: head.method.count == 7 && head.methodText == "CONNECT",
                asksForWebSocket: head.isUpgrade && head.section.hasToken(.upgrade, "websocket")
            )
        )
        self.listeners.report?(.began)
        // Of a request without a body the end was told above.
        guard hasBody else { return self.requests.beginNext() }
        self.upload = Body(record: record, length: Self.length(of: head.framing))
        self.requests.begin(head.framing)
    }

    private mutating func answered(_ head: ResponseHead, followedBy bytes: inout ByteBuffer, now: NIODeadline) {
        guard !self.open.isEmpty, self.open[0].status == nil else {
            return self.stopReading(.malformed("a response to no request"), side: .server, now: now)
        }
        if head.isInformational, head.status != 101 {
            self.open[0].record?.interim(Self.copy(head.section.bytes), at: now)
            return self.responses.beginNext()
        }
        let isUpgrade = head.status == 101 || self.open[0].isConnect && (200...299).contains(head.status)
        var framing = BodyFraming.none
        if !isUpgrade {
            do throws(HTTPFault) {
                framing = try BodyFraming.response(
                    head.section,
                    status: head.status,
                    version: head.version,
                    isHead: self.open[0].isHead
                )
            } catch {
                return self.stopReading(error, side: .server, now: now)
            }
        }
        let kind = Self.kind(
            of: head,
            isUpgrade: isUpgrade,
            mayBeWebSocket: self.open[0].asksForWebSocket,
            isKept: self.listeners.recorder != nil
        )
        if !isUpgrade, kind == .http, let count = Self.whole(framing, in: bytes) {
            return self.completed(head, body: count, of: &bytes, now: now)
        }
        let record = self.open[0].record
        self.open[0].status = head.status
        if self.listeners.report != nil {
            let responseTime = now - self.open[0].began
            self.open[0].exchange?.status = head.status
            self.open[0].exchange?.responseTime = responseTime
            self.open[0].isHeld = true
        }
        record?.responded(Self.copy(head.section.bytes), kind: kind, at: now)
        guard !isUpgrade else { return self.upgraded(head, kind: kind, record: record) }
        self.download = Body(
            record: record,
            length: Self.length(of: framing),
            isEventStream: kind == .events
        )
        self.responses.begin(framing)
    }

    /// How many bytes a body has that is there as a whole.
    private static func whole(_ framing: BodyFraming, in bytes: ByteBuffer) -> Int? {
        switch framing {
        case .none: 0
        case .length(let length): length <= UInt64(bytes.readableBytes) ? Int(length) : nil
        case .chunked, .untilClose: nil
        }
    }

    /// Takes a response whose body came with its head, as most do: it is kept and told at once.
    private mutating func completed(
        _ head: ResponseHead,
        body count: Int,
        of bytes: inout ByteBuffer,
        now: NIODeadline
    ) {
        let first = self.removeFirst()
        if let record = first.record {
            // The head lies before what is left, and with it the message is copied at once.
            let headCount = head.section.bytes.readableBytes
            var message = bytes
            message.moveReaderIndex(to: bytes.readerIndex - headCount)
            message.withUnsafeReadableBytes { bytes in
                let bytes = UnsafeRawBufferPointer(rebasing: bytes.prefix(headCount + count))
                record.answered(bytes, headCount: headCount, at: now)
            }
        }
        bytes.moveReaderIndex(forwardBy: count)
        self.responses.beginNext()
        guard let report = self.listeners.report, var exchange = first.exchange else { return }
        let duration = now - first.began
        exchange.status = head.status
        exchange.responseTime = duration
        exchange.duration = duration
        exchange.isComplete = true
        report(.answered(exchange))
    }

    private mutating func upgraded(_ head: ResponseHead, kind: ExchangeState.Kind, record: ExchangeCapture?) {
        self.counted = record
        guard kind == .websocket, let record, let quota = self.listeners.recorder?.ring.inflaters else {
            self.state = .stopped
            return
        }
        let isDeflated = head.section.value(named: "sec-websocket-extensions")?.contains("permessage-deflate") ?? false
        if isDeflated { self.inflaters = quota.take() }
        let inflates = self.inflaters != nil
        self.counted = record
        self.messages = MessageReaders(
            visitor: WebSocketReader(side: .visitor, inflates: inflates),
            server: WebSocketReader(side: .server, inflates: inflates)
        )
        self.state = .messages
    }

    /// Takes bytes after the last head that is read.
    private mutating func passed(_ bytes: ByteBuffer, from side: CaptureSide, now: NIODeadline) {
        guard bytes.readableBytes > 0, let record = self.counted else { return }
        record.passed(bytes.readableBytes, from: side)
        guard case .messages = self.state else { return }
        let isReadable = bytes.withUnsafeReadableBytes { bytes in
            switch side {
            case .visitor: self.messages?.visitor.read(bytes, at: now) { record.frame($0) }
            case .server: self.messages?.server.read(bytes, at: now) { record.frame($0) }
            }
        }
        guard isReadable != true else { return }
        self.state = .stopped
        self.messages = nil
        record.lost("What the \(side.rawValue) sent is no WebSocket frame.")
    }

    /// The end of the first request's response has passed.
    private mutating func completeFirst(trailers: [UInt8], now: NIODeadline) {
        let first = self.removeFirst()
        first.record?.completed(trailers: trailers, at: now)
        self.report(first, isComplete: true, now: now)
    }

    private mutating func endFirst(_ ending: ExchangeState.Ending, now: NIODeadline) {
        let first = self.removeFirst()
        first.record?.ended(ending, at: now)
        self.report(first, isComplete: ending == .complete, now: now)
    }

    private mutating func removeFirst() -> Open {
        self.download = Body()
        // The last one is moved, where the first of several is copied.
        return self.open.count == 1 ? self.open.removeLast() : self.open.removeFirst()
    }

    private func report(_ ended: Open, isComplete: Bool, now: NIODeadline) {
        guard var exchange = ended.exchange else { return }
        exchange.duration = now - ended.began
        exchange.isComplete = isComplete
        self.listeners.report?(ended.isHeld ? .answered(exchange) : .ended(exchange))
    }

    /// Tells of the head of a response whose end has yet to come.
    private mutating func tellHead() {
        self.open[0].isHeld = false
        if let exchange = self.open[0].exchange { self.listeners.report?(.responded(exchange)) }
    }

    /// Ends what is open before its time.
    private mutating func endAll(_ ending: PipeEnding, now: NIODeadline) {
        while let first = self.open.first {
            self.endFirst(.failed(ending.reason(hasStatus: first.status != nil)), now: now)
        }
    }

    private mutating func stopReading(_ fault: HTTPFault, side: CaptureSide, now: NIODeadline) {
        self.state = .stopped
        // Frees what was kept.
        self.requests = MessageFollower(isRequest: true)
        self.responses = MessageFollower(isRequest: false)
        let reason = "What the \(side.rawValue) sent can't be read as HTTP/1.1: \(fault.reason)."
        for open in self.open { open.record?.lost(reason) }
        self.counted = self.open.last?.record
        guard self.open.isEmpty, let recorder = self.listeners.recorder else { return }
        self.counted = recorder.ring.begin(recorder.origin, head: [], kind: .opaque, at: now)
        self.counted?.lost(reason)
    }

    // MARK: Pieces

    private static func kind(
        of head: ResponseHead,
        isUpgrade: Bool,
        mayBeWebSocket: Bool,
        isKept: Bool
    ) -> ExchangeState.Kind {
        if isUpgrade {
            let isWebSocket = mayBeWebSocket && head.section.hasToken(.upgrade, "websocket")
            return isWebSocket ? .websocket : .upgrade
        }
        // Only who keeps the exchange asks.
        guard isKept else { return .http }
        return head.section.value(named: "content-type", beginsWith: "text/event-stream") ? .events : .http
    }

    private static func exchange(of head: RequestHead) -> Exchange {
        head.section.bytes.withUnsafeReadableBytes { bytes in
            func text(_ range: Range<Int>) -> String {
                String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
            }
            let (method, start) = (Int(head.method.start), Int(head.target.start))
            let target = start..<start + Int(head.target.count)
            let end = ByteClass.firstIndex(of: UInt8(ascii: "?"), in: bytes, target) ?? target.upperBound
            return Exchange(
                method: text(method..<method + Int(head.method.count)),
                path: text(start..<min(end, start + Self.longestPath))
            )
        }
    }

    private static func length(of framing: BodyFraming) -> UInt64? {
        if case .length(let length) = framing { length } else { nil }
    }

    /// The bytes of a buffer in memory of their own, by one copy: through a view they take several times as long.
    static func copy(_ buffer: ByteBuffer) -> [UInt8] {
        buffer.withUnsafeReadableBytes { [UInt8]($0) }
    }

    private static func bytes(of trailers: FieldSection?) -> [UInt8] {
        // A section without fields is its empty line.
        guard let trailers, !trailers.lines.isEmpty else { return [] }
        return Self.copy(trailers.bytes)
    }
}
