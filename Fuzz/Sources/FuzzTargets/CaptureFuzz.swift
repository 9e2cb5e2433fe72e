// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import Foundation
import NIOCore

@testable import Inspection

/// What the inspector keeps of the bytes that pass both ways, and what it makes of that.
///
/// Splitting changes nothing of what is kept; the budget holds at every step, and is given back whole; and whatever was
/// kept can be shown, filtered, archived and sent again.
enum CaptureFuzz {
    /// Something that happens on a connection.
    private enum Event {
        case request(ByteBuffer)
        case response(ByteBuffer)
        case finished
        case closed(PipeEnding)
    }

    static func check(_ input: [UInt8]) throws {
        var reader = InputReader(input)
        let choice = reader.byte()
        let seed = reader.byte()
        switch choice & 3 {
        case 0: try self.checkArchive(Array(reader.rest()))
        case 1: try self.checkBudget(self.events(&reader), choice)
        default: try self.checkSplits(self.events(&reader), seed)
        }
    }

    private static func events(_ reader: inout InputReader) -> [Event] {
        let endings: [PipeEnding] = [.streamFailed, .sessionLost, .streamClosed, .localFailed, .localClosed]
        var events: [Event] = []
        while !reader.isAtEnd, events.count < 64 {
            let kind = reader.byte()
            switch kind & 7 {
            case 0...5:
                let length = Int(reader.integer(UInt16.self))
                let bytes = ByteBuffer(bytes: reader.take(length))
                events.append(kind & 1 == 0 ? .request(bytes) : .response(bytes))
            case 6: events.append(.finished)
            default: events.append(.closed(endings[Int(kind >> 3) % endings.count]))
            }
        }
        return events
    }

    /// Lets the events happen, the pieces of each 1 ms apart, and ends the connection.
    private static func play(
        _ events: [Event],
        in ring: CaptureRing,
        pieces: (ByteBuffer) -> [ByteBuffer] = { [$0] },
        afterEach: () throws -> Void = {}
    ) throws {
        let origin = ExchangeOrigin(tunnel: "my-app", connection: 1)
        var capture = HTTPCapture(CaptureListeners(recorder: ExchangeRecorder(ring: ring, origin: origin)))
        let now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        for event in events {
            switch event {
            case .request(let bytes): for piece in pieces(bytes) { capture.requestBytes(piece, now: now) }
            case .response(let bytes): for piece in pieces(bytes) { capture.responseBytes(piece, now: now) }
            case .finished: capture.responsesFinished(now: now)
            case .closed(let ending): capture.closed(ending, now: now)
            }
            try afterEach()
        }
        capture.closed(.streamClosed, now: now)
        try afterEach()
    }

    // MARK: Splits

    /// What is compared of an exchange.
    private struct Kept: Equatable {
        var kind: String
        var ending: ExchangeState.Ending
        var failure: String?
        var messages: [[UInt8]]
        var sizes: [UInt64]
        var frames: [[UInt8]]
        var isWhole: Bool

        init(_ view: ExchangeView) {
            let state = view.exchange.state
            self.kind = state.kind.rawValue
            self.ending = state.ending
            self.failure = view.failure
            let parts = [state.request, state.response].compactMap(\.self)
            self.messages = parts.flatMap { [$0.head, $0.body.kept, $0.trailers] } + state.interim.map(\.head)
            // What can't be read is counted as far as it came, which splits change.
            self.sizes = view.failure == nil ? parts.map(\.body.size) : []
            self.frames = (state.frames.map { Array($0.frames) } ?? []).map { frame in
                Array("\(frame.number) \(frame.side) \(frame.kind) \(frame.size) \(frame.decodedSize ?? 0)".utf8)
                    + (frame.content ?? [0])
            }
            self.isWhole = view.isWhole
        }
    }

    private static func checkSplits(_ events: [Event], _ seed: UInt8) throws {
        let whole = try self.kept(events) { [$0] }
        let seeded = try self.kept(events) { Pieces.seeded($0, seed) }
        try Finding.unless(seeded == whole, "splitting the bytes changes what is kept: \(whole), \(seeded)")
        let single = try self.kept(events) { Pieces.single($0) }
        try Finding.unless(single == whole, "single bytes change what is kept: \(whole), \(single)")
    }

    private static func kept(_ events: [Event], _ pieces: (ByteBuffer) -> [ByteBuffer]) throws -> [Kept] {
        let ring = CaptureRing(budget: CaptureBudget(bytes: 8 << 20, exchanges: 200, body: 2_000))
        try self.play(events, in: ring, pieces: pieces)
        let views = ring.exchanges.map { ExchangeView($0.snapshot()) }
        let total = events.reduce(UInt64(0)) { sum, event in
            switch event {
            case .request(let bytes), .response(let bytes): sum + UInt64(bytes.readableBytes)
            case .finished, .closed: sum
            }
        }
        for view in views {
            let state = view.exchange.state
            try Finding.unless(state.ending != .open, "an exchange is open after the end of its connection")
            for body in [state.request.body, state.response?.body].compactMap(\.self) {
                try Finding.unless(
                    body.kept.count <= 2_000 && UInt64(body.kept.count) <= body.size && body.size <= total,
                    "\(body.kept.count) of \(body.size) bytes are kept, and \(total) passed"
                )
            }
            try self.show(view)
        }
        return views.map(Kept.init)
    }

    // MARK: The budget

    private static func checkBudget(_ events: [Event], _ choice: UInt8) throws {
        let bytes = [1_000, 1_500, 4_000, 20_000, 200_000][Int(choice >> 2) % 5]
        let budget = CaptureBudget(bytes: bytes, exchanges: 1 + Int(choice >> 5), body: bytes / 2)
        let dropped = DroppedFields(choice & 0x10 != 0 ? ["cookie", "x", "content-type", "set-cookie"] : [])
        let ring = CaptureRing(budget: budget, dropped: dropped)
        let check = {
            try Finding.unless((0...bytes).contains(ring.usedBytes), "\(ring.usedBytes) of \(bytes) bytes are used")
            let counts = ring.counts
            try Finding.unless(counts.kept <= budget.exchanges, "\(counts.kept) exchanges are kept")
            let held = ring.exchanges.reduce(0) { $0 + self.heldBytes($1.snapshot().state) }
            try Finding.unless(held <= ring.usedBytes, "\(held) bytes are held, and \(ring.usedBytes) counted")
        }
        try self.play(events, in: ring, afterEach: check)
        for exchange in ring.exchanges { try self.show(ExchangeView(exchange.snapshot())) }
        ring.clear()
        try Finding.unless(ring.usedBytes == 0, "\(ring.usedBytes) bytes are not given back")
    }

    /// What an exchange holds at least.
    private static func heldBytes(_ state: ExchangeState) -> Int {
        var held = state.request.head.count + state.request.body.kept.count + state.request.trailers.count
        if let response = state.response {
            held += response.head.count + response.body.kept.count + response.trailers.count
        }
        held += state.interim.reduce(0) { $0 + $1.head.count }
        return held + (state.frames?.frames.reduce(0) { $0 + ($1.content?.count ?? 0) } ?? 0)
    }

    // MARK: What is made of it

    private static func show(_ view: ExchangeView) throws {
        let encoder = JSONEncoder()
        _ = try encoder.encode(ExchangeSummary(view))
        _ = try encoder.encode(ExchangeAnswer(view, publicURL: "https://edge.example/my-app/", rawLimit: .max))
        _ = try encoder.encode(FramesAnswer(view.exchange, after: -1, limit: 100))
        for message in [(view.request, view.exchange.state.request), (view.response, view.exchange.state.response)] {
            guard let head: HeadText = message.0, let capture: MessageCapture = message.1 else { continue }
            let decoded = ContentDecoding.decode(capture.body.kept, coding: head.contentCoding)
            let length = decoded?.bytes.count ?? 0
            try Finding.unless(length <= ContentDecoding.limit, "\(length) bytes are decoded")
        }
        let words = "method:GET status:2xx path:/* type:json header:host body:a size:>1 time:>1ms is:error from:1 x"
        for word in words.split(separator: " ") {
            _ = ExchangeFilter(String(word)).matches(view, now: .uptimeNanoseconds(2_000_000_000))
        }
        _ = CurlCommand(view, base: "http://localhost", showsSecrets: false).text
        let archive = HARLog.archive([view], version: "1", keepsSecrets: true) { _ in "https://edge.example/my-app/" }
        let states = try? HARImport.read(encoder.encode(archive), now: .uptimeNanoseconds(0))
        let count = archive.log.entries.count
        try Finding.unless(states?.count ?? 0 <= count, "\(states?.count ?? 0) of \(count) entries come back")
        try self.sendAgain(view)
    }

    /// What is sent again is one request with the same content, as whoever looks on sees it.
    private static func sendAgain(_ view: ExchangeView) throws {
        let replay: ReplayRequest
        do {
            replay = try ReplayRequest(repeating: view)
        } catch {
            return
        }
        let ring = CaptureRing()
        try self.play([.request(ByteBuffer(bytes: replay.head + replay.body))], in: ring)
        let seen = ring.exchanges.map { $0.snapshot().state.request }
        try Finding.unless(
            seen.count == 1 && seen[0].body.isComplete && seen[0].body.kept == view.exchange.state.request.body.kept,
            "what is sent again reads as \(seen), and was \(view.exchange.state.request)"
        )
    }

    // MARK: Archives

    private static func checkArchive(_ bytes: [UInt8]) throws {
        let states: [ExchangeState]
        do {
            states = try HARImport.read(Data(bytes), now: .uptimeNanoseconds(1_000_000_000))
        } catch {
            return
        }
        let ring = CaptureRing(budget: CaptureBudget(bytes: 1 << 20, exchanges: 100, body: 1 << 16))
        for state in states {
            guard let exchange = ring.add(ExchangeOrigin(tunnel: "imported", connection: 1), state: state) else {
                continue
            }
            try self.show(ExchangeView(exchange.snapshot()))
        }
        try Finding.unless(ring.usedBytes <= 1 << 20, "\(ring.usedBytes) bytes are used")
        ring.clear()
        try Finding.unless(ring.usedBytes == 0, "\(ring.usedBytes) bytes are not given back")
    }
}
