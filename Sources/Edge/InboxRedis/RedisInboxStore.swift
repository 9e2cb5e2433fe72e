// SPDX-License-Identifier: Apache-2.0
#if Redis

import ControlAPI
import EdgeInbox
import Logging
import NIOCore
import RESP
import Redis
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Keeps inboxes in Redis, for several edges.
///
/// An edge that hands messages of an inbox over has a lease of it, which it renews; once that is over, because the edge was
/// killed, another one takes over. So there is one at a time, and the order holds. What Redis says to be kept is as durable
/// as Redis was set up to be.
package final class RedisInboxStore: InboxStore {
    /// What a store is set to.
    package struct Options: Sendable {
        /// What every key begins with: letters, digits and `:_.-`.
        package var prefix = "cv:"
        /// After which time an edge that says nothing hands messages over no more.
        package var lease: TimeAmount = .seconds(10)
        /// The most bytes of all messages together.
        package var maximumBytes = 1 << 30
        /// The most bytes of messages that are on their way to Redis.
        package var maximumPending = 64 << 20

        /// The options that there are by default.
        package init() {}
    }

    private struct State {
        /// The messages that are being handed over, by their inboxes.
        var out: [TunnelID: Set<String>] = [:]
        var pendingBytes = 0
        var renewal: Task<Void, Never>?
    }

    let client: RedisClient
    let scripts: InboxScripts
    let keys: SealingKeys
    let options: Options
    /// This edge, among those that have leases.
    private let edge: String
    private let listener: RedisClient
    private let told: AsyncStream<InboxEvent>
    private let logger: Logger
    private let state = Mutex(State())

    package var events: AsyncStream<InboxEvent>? { self.told }

    /// Makes a store, which does not connect yet.
    ///
    /// - Parameters:
    ///   - configuration: Where Redis is.
    ///   - keys: What everything is sealed with.
    ///   - options: What bounds it.
    ///   - eventLoop: Where its connections live.
    ///   - logger: Where it is said that Redis is away.
    /// - Throws: What is wrong with the certificates.
    package init(
        _ configuration: RedisClient.Configuration,
        keys: SealingKeys,
        options: Options = Options(),
        eventLoop: any EventLoop,
        logger: Logger
    ) throws {
        self.keys = keys
        self.options = options
        self.logger = logger
        self.edge = UUID().uuidString
        self.scripts = InboxScripts(prefix: options.prefix)
        // Bodies are large: what the directory asks for does not wait behind them.
        self.client = try RedisClient(configuration, eventLoop: eventLoop, logger: logger)
        let (events, continuation) = AsyncStream.makeStream(
            of: InboxEvent.self,
            bufferingPolicy: .bufferingOldest(4_096)
        )
        self.told = events
        let overflow = Overflow()
        self.listener = try RedisClient(
            configuration,
            subscription: RedisClient.Subscription(channels: ["\(options.prefix)ibev"]) { _, message in
                guard let event = InboxEvent(message: message) else { return }
                // More than can be taken at a time: everything is looked at instead, with the next one that fits.
                let next = overflow.isNoted.exchange(false, ordering: .relaxed) ? .missed : event
                if case .dropped = continuation.yield(next) { overflow.isNoted.store(true, ordering: .relaxed) }
            },
            eventLoop: eventLoop,
            logger: logger
        )
        self.listener.onChange { if $0 == .up { continuation.yield(.missed) } }
    }

    private final class Overflow: Sendable {
        let isNoted = Atomic(false)
    }

    package func open() async {
        self.client.start()
        self.listener.start()
        // What is online does not need it.
        for _ in 0..<50 where self.client.status != .up { try? await Task.sleep(for: .milliseconds(20)) }
        let renewal = Task { [weak self, pause = self.options.lease.nanoseconds / 3] in
            while !Task.isCancelled {
                guard (try? await Task.sleep(for: .nanoseconds(pause))) != nil else { return }
                await self?.renew()
            }
        }
        self.state.withLock { $0.renewal = renewal }
    }

    package func close() async {
        let (renewal, ids) = self.state.withLock { state in
            defer { state.out = [:] }
            return (state.renewal.take(), Array(state.out.keys))
        }
        renewal?.cancel()
        for id in ids { _ = try? await self.run(self.scripts.release, id, [self.edge, id.description]) }
        await self.listener.close()
        await self.client.close()
    }

    // MARK: Asking

    func key(_ id: TunnelID) -> String { "\(self.options.prefix)ibx:\(id)" }

    func run(_ script: RedisScript, _ id: TunnelID, _ arguments: [String]) async throws -> RESPValue {
        try await self.client.run(script, keys: [self.key(id)], arguments: arguments)
    }

    func misunderstood(_ value: RESPValue) -> InboxStoreError { .failed("an answer that was not expected: \(value)") }

    /// Waits until what was written survives the primary, where there are replicas.
    private func settle() async {
        guard self.client.hasReplicas else { return }
        let answer = try? await self.client.command(["WAIT", "1", "100"])
        if answer?.number ?? 0 < 1 { self.logger.warning("no replica has followed a webhook within 100 ms") }
    }

    // MARK: Inboxes

    package func put(_ record: InboxRecord) async throws {
        guard let id = TunnelID(record.tunnelID) else { throw InboxStoreError.noInbox }
        let sealed = try self.keys.seal(try JSONEncoder().encode(record), at: "inbox \(id)")
        let keep = record.settings.keep
        let rest = ["\(keep.deliveredHours * 3_600)", "\(keep.waitingHours * 3_600)"].map { Array($0.utf8) }
        _ = try await self.client.run(
            self.scripts.put,
            keys: [self.key(id)],
            content: [Array(id.description.utf8), Array(sealed)] + rest
        )
        await self.settle()
    }

    package func remove(_ id: TunnelID) async throws {
        // Its messages go in the sweep, a few at a time: by the number of the inbox, which no other one ever gets.
        _ = try await self.run(self.scripts.remove, id, [id.description])
        await self.settle()
    }

    package func inboxes() async throws -> [InboxRecord] {
        var records: [InboxRecord] = []
        try await self.eachPage { ids in records += try await self.records(of: ids) }
        return records.sorted { $0.tunnelID < $1.tunnelID }
    }

    package func inbox(_ id: TunnelID) async throws -> InboxRecord? {
        try await self.records(of: [id.description]).first
    }

    private func records(of ids: [String]) async throws -> [InboxRecord] {
        let answer = try await self.client.run(self.scripts.records, keys: [], arguments: ids)
        guard let rows = answer.elements else { throw self.misunderstood(answer) }
        return try rows.map { row in
            guard let parts = row.elements, parts.count == 2, let id = parts[0].text, let sealed = parts[1].content
            else { throw self.misunderstood(row) }
            guard let text = self.keys.open(Data(sealed), at: "inbox \(id)"),
                let record = try? JSONDecoder().decode(InboxRecord.self, from: text)
            else { throw InboxStoreError.failed("the inbox of \(id) can't be opened: it was sealed with another key") }
            return record
        }
    }

    /// The tunnels that have inboxes, some at a time.
    func eachPage(_ body: ([String]) async throws -> Void) async throws {
        var cursor = "0"
        var seen: Set<String> = []
        repeat {
            let answer = try await self.client.command(["SSCAN", "\(self.options.prefix)ib", cursor, "COUNT", "200"])
            guard let parts = answer.elements, parts.count == 2, let next = parts[0].text, let ids = parts[1].elements
            else { throw self.misunderstood(answer) }
            // A scan may show one twice.
            let page = ids.compactMap(\.text).filter { seen.insert($0).inserted }
            if !page.isEmpty { try await body(page) }
            cursor = next
        } while cursor != "0"
    }

    // MARK: Messages that come

    package func append(
        _ message: NewMessage,
        to id: TunnelID,
        keep: InboxSettings.Keep
    ) async throws(InboxStoreError) {
        let mayBegin = self.state.withLock { state in
            guard state.pendingBytes + message.size <= self.options.maximumPending else { return false }
            state.pendingBytes += message.size
            return true
        }
        guard mayBegin else { throw .failed("Redis does not keep up: too many bytes are on their way to it") }
        defer { self.state.withLock { $0.pendingBytes -= message.size } }
        let answer: RESPValue
        do {
            let sealed = try SealedMessage(message, keys: self.keys, tunnel: id)
            let words = [
                id.description, message.id, "\(message.receivedAt.timeIntervalSince1970)", "\(message.size)",
                "\(message.body.count)", message.verified.map { $0 ? "1" : "0" } ?? "", "\(keep.messages)",
                "\(keep.bytes)", "\(self.options.maximumBytes)",
            ]
            answer = try await self.client.run(
                self.scripts.append,
                keys: [self.key(id)],
                content: words.map { Array($0.utf8) } + [Array(sealed.head), Array(sealed.body)]
            )
        } catch RedisError.refused(let why) where why.contains("OOM ") {
            throw .full
        } catch {
            throw .failed("\(error)")
        }
        switch answer.text {
        case "kept": await self.settle()
        case "none": throw .noInbox
        case "full": throw .full
        default: throw self.misunderstood(answer)
        }
    }

    // MARK: Messages that leave

    package func next(
        _ id: TunnelID,
        order: InboxSettings.Delivery.Order,
        now: Date,
        except held: Set<String>
    ) async throws -> InboxTurn {
        let answer = try await self.run(
            self.scripts.next,
            id,
            [
                self.edge, "\(self.options.lease.nanoseconds / 1_000_000)", order.rawValue,
                "\(now.timeIntervalSince1970)",
            ] + held
        )
        guard let parts = answer.elements, let first = parts.first?.text else { throw self.misunderstood(answer) }
        switch first {
        case "none": return .nothing
        case "held" where parts.count == 2:
            return .later(now.addingTimeInterval(Double(parts[1].number ?? 0) / 1_000))
        case "later" where parts.count == 2:
            guard let due = parts[1].text.flatMap({ Double($0) }) else { throw self.misunderstood(answer) }
            return .later(Date(timeIntervalSince1970: due))
        case "now" where parts.count == 3:
            guard let found = RedisMessage(due: parts[1], fields: parts[2]) else { throw self.misunderstood(answer) }
            guard let message = found.message(self.keys, tunnel: id) else {
                // Nobody can open it any more: it must not hold those behind it.
                let step = DeliveryStep(state: .dead, attempts: found.attempts, due: now, error: "unreadable")
                try await self.conclude(found.id, of: id, with: step, now: now)
                return .later(now)
            }
            _ = self.state.withLock { $0.out[id, default: []].insert(found.id) }
            return .now(message)
        default: throw self.misunderstood(answer)
        }
    }

    package func conclude(_ message: String, of id: TunnelID, with step: DeliveryStep, now: Date) async throws {
        defer {
            self.state.withLock { state in
                state.out[id]?.remove(message)
                if state.out[id]?.isEmpty == true { state.out[id] = nil }
            }
        }
        let words = [
            message, "\(step.state.number)", "\(step.attempts)", "\(step.due.timeIntervalSince1970)",
            step.status.map { "\($0)" } ?? "", step.error ?? "",
        ]
        // What it says may be said twice, and otherwise the message would be handed over twice: worth a few tries while the
        // lease lasts.
        let end = NIODeadline.now() + .nanoseconds(self.options.lease.nanoseconds / 2)
        while true {
            do {
                _ = try await self.run(self.scripts.conclude, id, words)
                return
            } catch {
                guard NIODeadline.now() < end, !Task.isCancelled else { throw error }
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    /// Keeps the leases of the inboxes whose messages are being handed over.
    private func renew() async {
        let ids = self.state.withLock { Array($0.out.keys) }
        for id in ids {
            _ = try? await self.run(
                self.scripts.renew,
                id,
                [self.edge, "\(self.options.lease.nanoseconds / 1_000_000)"]
            )
        }
    }
}

extension InboxEvent {
    /// Reads what a script told; `nil` for what an edge of another version tells.
    init?(message: String) {
        guard let id = TunnelID(String(message.dropFirst(2))) else { return nil }
        switch message.prefix(2) {
        case "w ": self = .due(id)
        case "r ": self = .changed(id)
        default: return nil
        }
    }
}

#endif
