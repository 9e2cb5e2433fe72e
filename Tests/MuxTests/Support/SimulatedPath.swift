// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

/// An edge and a connector joined by a path of some rate and round trip, on a clock of its own.
///
/// The connector serves: a stream to `bulk` is sent bytes without end, on one to `echo` comes back what was sent. The
/// edge takes what it is sent at once, but for streams that it leaves unread.
struct SimulatedPath {
    var edge: SessionCore
    private var connector: SessionCore
    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private let pace: Pace
    /// Messages on their way, and when each arrives.
    private var toEdge: Wire = []
    private var toConnector: Wire = []
    /// Until when each side's end of the path is busy with what it was given.
    private var edgeBusy: NIODeadline
    private var connectorBusy: NIODeadline
    private var nextTick: NIODeadline

    private var bulk: Set<StreamKey> = []
    private var echo: Set<StreamKey> = []
    /// Streams of the edge that nobody reads.
    private var unread: Set<StreamKey> = []
    /// What the edge has taken of each stream, in bytes.
    private(set) var taken: [StreamKey: Int] = [:]
    /// The most that the edge's windows pinned at any time, in bytes.
    private(set) var mostCommitted = 0
    /// How either session ended, if one did.
    private(set) var end: SessionEnd?

    private typealias Wire = [(message: ByteBuffer, at: NIODeadline)]

    private struct Pace {
        /// Bytes a second, each way.
        var rate: Double
        var roundTrip: TimeAmount

        /// How long so many bytes take through the path's narrowest part.
        func time(of bytes: Int) -> TimeAmount { .nanoseconds(Int64(Double(bytes) / self.rate * 1e9)) }
    }

    /// How many bytes wait below a sender before it is asked for no more.
    private static let below = 65_536
    private static let bulkBytes = ByteBuffer(repeating: 0x61, count: 65_536)

    init(megabitsPerSecond: Double, roundTrip: TimeAmount, maximumStreams: UInt32 = 1_024) {
        self.pace = Pace(rate: megabitsPerSecond * 125_000, roundTrip: roundTrip)
        var connector = SessionConfiguration(role: .connector)
        connector.settings.maximumStreams = maximumStreams
        self.edge = SessionCore(configuration: SessionConfiguration(role: .edge), seed: 1, now: self.start)
        self.connector = SessionCore(configuration: connector, seed: 2, now: self.start)
        self.edgeBusy = self.start
        self.connectorBusy = self.start
        self.nextTick = self.start
        // HELLO, and the first PING, which measures the round trip.
        self.run(for: roundTrip * 3)
    }

    /// What has passed since the beginning, in seconds.
    var seconds: Double { Double((self.now - self.start).nanoseconds) / 1e9 }

    /// Opens a stream.
    mutating func open(to target: String, isRead: Bool = true) throws -> StreamKey {
        let key = try self.edge.open(kind: .tcp, metadata: OpenMetadata(target: target), now: self.now)
        if !isRead { self.unread.insert(key) }
        return key
    }

    /// How long it takes until an echo of so many bytes is back.
    mutating func echoTime(_ key: StreamKey, bytes: Int) -> TimeAmount? {
        let begun = self.now
        let before = self.taken[key] ?? 0
        self.edge.write(key, ByteBuffer(repeating: 0x62, count: bytes))
        while self.taken[key] ?? 0 < before + bytes {
            self.step()
            guard self.end == nil, self.now - begun < .seconds(60) else { return nil }
        }
        return self.now - begun
    }

    mutating func run(for amount: TimeAmount) {
        let end = self.now + amount
        while self.now < end, self.end == nil { self.step() }
    }

    /// The window that a stream of the edge has found, in bytes.
    func window(of key: StreamKey) -> Int { self.edge.streams[key.slot].tuner.window }

    // MARK: One step

    private mutating func step() {
        // Short beside the round trip, and beside what a sender has ready for the path.
        self.now =
            self.now + min(.nanoseconds(self.pace.roundTrip.nanoseconds / 50), self.pace.time(of: Self.below / 4))
        if self.now >= self.nextTick {
            self.edge.tick(now: self.now)
            self.connector.tick(now: self.now)
            self.nextTick = self.now + SessionCore.tickInterval
        }
        let atEdge = Self.arrived(&self.toEdge, self.now)
        for message in atEdge { self.edge.receive(message, now: self.now) }
        self.takeAtEdge()
        let atConnector = Self.arrived(&self.toConnector, self.now)
        for message in atConnector { self.connector.receive(message, now: self.now) }
        self.serve()
        Self.send(from: &self.edge, over: &self.edgeBusy, to: &self.toConnector, self.pace, self.now)
        Self.send(from: &self.connector, over: &self.connectorBusy, to: &self.toEdge, self.pace, self.now)
        self.mostCommitted = max(self.mostCommitted, self.edge.committedByteCount)
    }

    private static func arrived(_ wire: inout Wire, _ now: NIODeadline) -> [ByteBuffer] {
        let count = wire.firstIndex { $0.at > now } ?? wire.count
        defer { wire.removeFirst(count) }
        return wire[..<count].map(\.message)
    }

    private static func send(
        from core: inout SessionCore,
        over busy: inout NIODeadline,
        to wire: inout Wire,
        _ pace: Pace,
        _ now: NIODeadline
    ) {
        while busy - now < pace.time(of: Self.below) {
            var message = ByteBuffer()
            guard core.poll(into: &message, limit: 16_376, now: now) else { return }
            busy = max(busy, now) + pace.time(of: message.readableBytes + 8)
            wire.append((message, busy + .nanoseconds(pace.roundTrip.nanoseconds / 2)))
        }
    }

    private mutating func takeAtEdge() {
        while let event = self.edge.nextEvent() {
            switch event {
            case .readable(let key) where !self.unread.contains(key):
                while case .bytes(let bytes) = self.edge.read(key, now: self.now) {
                    self.taken[key, default: 0] += bytes.readableBytes
                }
            case .ended(let end): self.end = end
            default: break
            }
        }
    }

    private mutating func serve() {
        while let event = self.connector.nextEvent() {
            switch event {
            case .opened(let key, let open):
                let target = (try? open.metadata.get())?.target
                self.connector.accept(key)
                if target == "bulk" { self.bulk.insert(key) } else { self.echo.insert(key) }
                self.fill(key)
            case .writable(let key): self.fill(key)
            case .readable(let key) where self.echo.contains(key):
                while case .bytes(let bytes) = self.connector.read(key, now: self.now) {
                    self.connector.write(key, bytes)
                }
            case .ended(let end): self.end = end
            default: break
            }
        }
    }

    private mutating func fill(_ key: StreamKey) {
        guard self.bulk.contains(key) else { return }
        while self.connector.write(key, Self.bulkBytes) {}
    }
}
