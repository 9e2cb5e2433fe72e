// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

@testable import Mux

/// One random schedule of two cores.
struct ModelRun {
    /// A rule of the protocol that the run breaks on purpose, to show that the model would notice (P2).
    enum Mutation: CaseIterable {
        /// Streams that were reset are forgotten at once instead of after the barrier.
        case noBarrier
        /// A stream gets its number when it is asked for, so that a cancelled open leaves a gap.
        case numberGaps
        /// Credit for bytes of a reset stream is not given back.
        case zombieCreditKept
        /// A message is counted when its first bytes have come.
        case acknowledgedEarly
        /// A message is counted twice now and then.
        case countedTwice
        /// The last of what a connection has to bring again is left out.
        case tailLost

        /// Whether only a run with cuts can show it.
        var isOfCuts: Bool {
            switch self {
            case .noBarrier, .numberGaps, .zombieCreditKept: false
            case .acknowledgedEarly, .countedTwice, .tailLost: true
            }
        }
    }

    struct Totals: CustomStringConvertible {
        var opened = 0
        var delivered = 0
        var resets = 0
        var rejects = 0
        var messages = 0
        var cuts = 0
        var repeated = 0

        mutating func add(_ other: Totals) {
            self.opened += other.opened
            self.delivered += other.delivered
            self.resets += other.resets
            self.rejects += other.rejects
            self.messages += other.messages
            self.cuts += other.cuts
            self.repeated += other.repeated
        }

        var description: String {
            "\(self.opened) streams, \(self.delivered) bytes delivered, \(self.resets) resets, "
                + "\(self.rejects) rejects, \(self.messages) messages, \(self.cuts) cuts, \(self.repeated) messages again"
        }
    }

    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    var random: SplitMix
    let mutation: Mutation?
    var sides: [ModelSide]
    /// Bytes on their way to each side.
    var wires = [ByteBuffer(), ByteBuffer()]
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var totals = Totals()
    /// Whether connections break, and others go on.
    let hasCuts: Bool
    /// Whether the sides are joined.
    var isJoined = true

    init(seed: UInt64, hasCuts: Bool = false, mutation: Mutation? = nil) {
        self.hasCuts = hasCuts
        self.random = SplitMix(seed: seed)
        self.mutation = mutation
        // One in four is short of memory most of the time (P8).
        let governor = MemoryGovernor(budget: seed % 4 == 3 ? 48 << 10 : 1 << 30)
        self.sides = [SessionRole.edge, .connector].map { role in
            var configuration = SessionConfiguration(role: role, governor: governor)
            configuration.settings.maximumStreams = 6
            configuration.settings.initialWindow = seed % 2 == 0 ? 16_384 : 65_536
            configuration.settings.connectionWindow = 262_144
            configuration.budget = 4 << 20
            if hasCuts { ModelSide.makeResumable(&configuration) }
            return ModelSide(core: SessionCore(configuration: configuration, seed: seed, now: .uptimeNanoseconds(0)))
        }
    }

    mutating func drive() throws -> Totals {
        let steps = Int.random(in: 50...1_500, using: &self.random)
        for _ in 0..<steps { try self.step() }
        try self.settle()
        return self.totals
    }

    private mutating func step() throws {
        let index = Int.random(in: 0...1, using: &self.random)
        self.now = self.now + .microseconds(Int64.random(in: 0...2_000, using: &self.random))
        switch Int.random(in: 0..<100, using: &self.random) {
        case 0..<30: try self.deliver(to: index)
        case 30..<55: try self.emit(from: index)
        case 55..<62: self.open(at: index)
        case 62..<64: self.sides[index].core.tick(now: self.now)
        case 64 where self.hasCuts && Int.random(in: 0..<4, using: &self.random) == 0: try self.cutOrJoin()
        default: try self.act(at: index)
        }
        try self.takeEvents(of: index)
        try self.check(index)
    }

    // MARK: Moving messages

    mutating func emit(from index: Int) throws {
        if self.emitAgain(from: index) { return }
        var batch = ByteBuffer()
        for _ in 0..<Int.random(in: 1...3, using: &self.random) {
            let limit = Int.random(in: 1_024...16_380, using: &self.random)
            let isHello = self.sides[index].core.isHelloDue
            guard let message = try self.sides[index].emit(limit: limit, now: self.now) else { break }
            self.totals.messages += 1
            self.sides[index].encoder.encode(.binary, message, into: &batch)
            if self.mutation == .noBarrier { self.sides[index].core.forgetZombies() }
            if isHello { break }
        }
        self.sides[index].core.keep(batch)
        // A side that has not noticed the end of its connection speaks to nobody.
        if self.isJoined { self.wires[1 - index].writeImmutableBuffer(batch) }
    }

    mutating func deliver(to index: Int) throws {
        let most = min(self.wires[index].readableBytes, 20_000)
        guard most > 0 else { return }
        let count = Int.random(in: 1...most, using: &self.random)
        if let bytes = self.wires[index].readSlice(length: count) { self.sides[index].decoder.append(bytes) }
        if self.wires[index].readableBytes == 0 { self.wires[index].clear() }
        while case .binary(let message)? = try self.sides[index].decoder.next() {
            try self.receive(message, at: index)
        }
    }

    private mutating func receive(_ message: ByteBuffer, at index: Int) throws {
        if self.mutation == .zombieCreditKept {
            self.sides[index].core.receiveKeepingZombieCredit(message, now: self.now)
        } else {
            self.sides[index].core.receive(message, now: self.now)
        }
        if self.mutation == .countedTwice, Int.random(in: 0..<20, using: &self.random) == 0 {
            self.sides[index].core.received.received(0, owesAcknowledgement: false, now: self.now)
        }
        guard self.sides[index].core.liveness.lastReceived == self.now else {
            throw Violation(description: "I11 side \(index) does not take a message")
        }
    }

    mutating func takeEvents(of index: Int) throws {
        while let event = self.sides[index].core.nextEvent() {
            switch event {
            case .active, .draining, .writable, .suspended: break
            case .unresponsive(let reason): throw Violation(description: "side \(index): \(reason)")
            case .opened(let key, _): self.sides[index].streams[key] = ModelStream(isOpener: false)
            case .accepted(let key): self.sides[index].streams[key]?.isAccepted = true
            case .readable(let key): self.sides[index].streams[key]?.isReadable = true
            case .stopped(let key, _): self.sides[index].streams[key]?.mayWrite = false
            case .closed(let key, let error):
                if let stream = self.sides[index].streams[key] {
                    try self.finished(stream, error)
                    self.sides[index].streams[key] = nil
                }
                self.sides[index].core.release(key)
            case .ended(let end):
                throw Violation(description: "side \(index) ended the session: \(end.code) \(end.reason)")
            }
        }
    }

    // MARK: What applications do

    private mutating func open(at index: Int) {
        guard self.sides[index].core.canOpenStreams, self.sides[index].core.waitingOpens.count < 3 else { return }
        let metadata = OpenMetadata(target: "web")
        guard
            let key = try? self.sides[index].core.open(
                kind: .tcp,
                priority: Priority(urgency: UInt8.random(in: 0...7, using: &self.random)),
                metadata: metadata,
                deadline: .seconds(60),
                now: self.now
            )
        else { return }
        self.totals.opened += 1
        self.sides[index].streams[key] = ModelStream(isOpener: true)
    }

    private mutating func act(at index: Int) throws {
        guard
            let key = self.sides[index].streams.keys.sorted(by: { $0.slot < $1.slot })
                .randomElement(using: &self.random), let stream = self.sides[index].streams[key]
        else { return }
        let roll = Int.random(in: 0..<100, using: &self.random)
        if !stream.isOpener, !stream.isAccepted {
            switch roll {
            case 0..<15:
                self.totals.rejects += 1
                self.sides[index].core.reject(key, code: .connectRefused, reason: "no")
                self.letGo(key, at: index)
            case 40..<90 where stream.isRelaying: try self.read(key, at: index)
            case 15..<90:
                self.sides[index].streams[key]?.isAccepted = true
                self.sides[index].core.accept(key)
            case 90..<93: self.reset(key, at: index)
            default:
                self.sides[index].streams[key]?.isRelaying = true
                self.sides[index].core.relay(key)
            }
            return
        }
        switch roll {
        case 0..<35: self.write(key, at: index)
        case 35..<45:
            self.sides[index].streams[key]?.mayWrite = false
            self.sides[index].core.finish(key)
        case 45..<50: self.reset(key, at: index)
        case 50..<54 where self.sides[index].isOnWire(key):
            self.sides[index].streams[key]?.isStopped = true
            self.sides[index].core.stopReading(key, code: .cancelled, now: self.now)
        default: try self.read(key, at: index)
        }
    }

    private mutating func write(_ key: StreamKey, at index: Int) {
        guard let stream = self.sides[index].streams[key], stream.mayWrite else { return }
        let most = Int.random(in: 0..<16, using: &self.random) == 0 ? 40_000 : 6_000
        let count = Int.random(in: 1...most, using: &self.random)
        self.sides[index].streams[key]?.written += count
        self.sides[index].core.write(key, ModelStream.bytes(at: stream.written, count: count))
    }

    /// I3: what is read is a prefix of what was written, and at the end all of it.
    private mutating func read(_ key: StreamKey, at index: Int) throws {
        let offset = self.sides[index].streams[key]?.read ?? 0
        switch self.sides[index].core.read(key, now: self.now) {
        case .bytes(let bytes):
            self.totals.delivered += bytes.readableBytes
            guard bytes == ModelStream.bytes(at: offset, count: bytes.readableBytes) else {
                throw Violation(description: "I3 bytes from offset \(offset) on are wrong")
            }
            self.sides[index].streams[key]?.read = offset + bytes.readableBytes
        case .end:
            self.sides[index].streams[key]?.sawEnd = true
            let written = self.sides[index].number(of: key).flatMap { self.sides[1 - index].written[$0] }
            guard self.sides[index].streams[key]?.isStopped == true || written == offset else {
                throw Violation(description: "I3 \(offset) of \(written ?? 0) bytes were read at the end")
            }
        case .nothing: break
        }
    }

    private mutating func reset(_ key: StreamKey, at index: Int) {
        self.totals.resets += 1
        if self.mutation == .numberGaps { self.sides[index].core.skipNumber() }
        self.sides[index].core.reset(key, code: .cancelled)
        self.letGo(key, at: index)
    }

    private mutating func letGo(_ key: StreamKey, at index: Int) {
        self.sides[index].streams[key] = nil
        self.sides[index].core.release(key)
    }

    private func finished(_ stream: ModelStream, _ error: StreamError?) throws {
        if error == nil, !stream.sawEnd, !stream.isStopped {
            throw Violation(description: "a stream closed cleanly before its end was read")
        }
    }

    // MARK: Checking

    private mutating func check(_ index: Int) throws {
        try ModelInvariants.check(self.sides[index].core)
        try self.sides[index].limits.judge(self.sides[index].core)
    }

    /// Lets both sides finish everything, and looks at what is left (I12).
    private mutating func settle() throws {
        var quietRounds = 0
        for _ in 0..<20_000 {
            var hasMoved = false
            for index in 0...1 {
                if !self.isJoined { try self.join() }
                while self.wires[index].readableBytes > 0 {
                    try self.deliver(to: index)
                    hasMoved = true
                }
                try self.takeEvents(of: index)
                self.sides[index].core.tick(now: self.now)
                if try self.finishAll(at: index) { hasMoved = true }
                try self.takeEvents(of: index)
                let before = self.totals.messages
                for _ in 0..<8 { try self.emit(from: index) }
                if self.totals.messages > before { hasMoved = true }
                self.now = self.now + .milliseconds(5)
                try self.check(index)
            }
            quietRounds = hasMoved ? 0 : quietRounds + 1
            guard hasMoved || self.hasCuts && quietRounds < 3 else { break }
            // What waits for memory that is kept until it is acknowledged goes on when the ACK comes.
            if !hasMoved { self.now = self.now + .milliseconds(300) }
        }
        if self.hasCuts { try self.settleAcknowledgements() }
        for index in 0...1 {
            try ModelInvariants.checkSettled(self.sides[index].core, peer: self.sides[1 - index].core)
        }
    }

    private mutating func finishAll(at index: Int) throws -> Bool {
        var hasMoved = false
        for key in self.sides[index].streams.keys.sorted(by: { $0.slot < $1.slot }) {
            guard let stream = self.sides[index].streams[key] else { continue }
            if !stream.isOpener, !stream.isAccepted {
                self.sides[index].streams[key]?.isAccepted = true
                self.sides[index].core.accept(key)
                hasMoved = true
            }
            if stream.mayWrite {
                self.sides[index].streams[key]?.mayWrite = false
                self.sides[index].core.finish(key)
                hasMoved = true
            }
            while self.sides[index].core.isReadable(key) {
                try self.read(key, at: index)
                hasMoved = true
            }
        }
        return hasMoved
    }
}
