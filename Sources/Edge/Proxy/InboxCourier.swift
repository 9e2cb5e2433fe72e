// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeInbox
import EdgeTunnels
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Hands over what inboxes have kept, as soon as somebody can take it.
///
/// It sleeps until a session joins a tunnel that has an inbox, a message is kept, or one is due.
package actor InboxCourier {
    /// An app that could not be reached through a connector that was there.
    private struct Unreached {
        /// How often, one time after the other.
        var count = 0
        /// When to try again.
        var until = Date.distantPast
    }

    /// How many messages of an inbox whose order is any are handed over at a time.
    package static let atOnce = 4

    private let services: ProxyServices
    private let desk: InboxDesk
    private let group: any EventLoopGroup
    /// The inboxes that somebody works on, and whether it was asked again meanwhile.
    private var isAskedAgain: [TunnelID: Bool] = [:]
    private var unreached: [TunnelID: Unreached] = [:]
    private var timers: [TunnelID: Task<Void, Never>] = [:]
    /// What came of messages and could not be noted: until it is, nothing of their inboxes is handed over, or the same
    /// message would be once more.
    private var owed: [TunnelID: [(message: String, step: DeliveryStep)]] = [:]
    /// The messages that are handed over beside others, by their inboxes.
    private var underWay: [TunnelID: [String: Task<Void, Never>]] = [:]

    /// Makes a courier.
    ///
    /// - Parameters:
    ///   - services: What the public listener works with.
    ///   - desk: The inboxes.
    ///   - group: The event loops.
    package init(_ services: ProxyServices, desk: InboxDesk, group: any EventLoopGroup) {
        self.services = services
        self.desk = desk
        self.group = group
    }

    /// Works until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { tasks in
            await self.desk.work { id, hasSession in
                guard self.begins(id, hasSession: hasSession) else { return }
                tasks.addTask { await self.serve(id) }
            }
            tasks.cancelAll()
        }
        for timer in self.timers.values { timer.cancel() }
        self.timers = [:]
        let underWay = self.underWay.values.flatMap(\.values)
        for delivery in underWay { delivery.cancel() }
        for delivery in underWay { await delivery.value }
    }

    /// Whether nobody works on that inbox yet; whoever does is told to look again.
    private func begins(_ id: TunnelID, hasSession: Bool) -> Bool {
        self.timers.removeValue(forKey: id)?.cancel()
        // Another connector may well reach its app.
        if hasSession { self.unreached[id] = nil }
        guard self.isAskedAgain[id] == nil else {
            self.isAskedAgain[id] = true
            return false
        }
        self.isAskedAgain[id] = false
        return true
    }

    private func serve(_ id: TunnelID) async {
        var next: Date?
        repeat {
            self.isAskedAgain[id] = false
            next = await self.deliver(id)
        } while self.isAskedAgain[id] == true && !Task.isCancelled
        self.isAskedAgain[id] = nil
        guard let next, !Task.isCancelled else { return }
        self.timers[id] = Task { [desk = self.desk] in
            guard (try? await Task.sleep(for: .seconds(max(0, next.timeIntervalSince(Date()))))) != nil else { return }
            desk.wake(id)
        }
    }

    /// Hands over what is due.
    ///
    /// - Returns: When to look again; `nil` if a session or a new message has to come first.
    private func deliver(_ id: TunnelID) async -> Date? {
        while !Task.isCancelled {
            guard let tunnel = self.services.registry.tunnel(id), let inbox = tunnel.inbox,
                let session = self.session(of: tunnel)
            else { return nil }
            if let unreached = self.unreached[id], unreached.until > Date() { return unreached.until }
            guard await self.settle(id) else { return Date().addingTimeInterval(2) }
            let order = inbox.settings.delivery.order
            let held = Set((self.underWay[id] ?? [:]).keys)
            // Whoever is done looks again.
            guard order == .any ? held.count < Self.atOnce : held.isEmpty else { return nil }
            let began = ContinuousClock.now
            let turn: InboxTurn
            do {
                turn = try await self.desk.store.next(id, order: order, now: Date(), except: held)
            } catch {
                self.desk.recorder.storeFailed("\(error)")
                return Date().addingTimeInterval(5)
            }
            switch turn {
            case .nothing: return nil
            case .later(let date): return date
            case .now(let message) where order == .any:
                self.begin(message, to: tunnel, inbox, on: session.eventLoop)
            case .now(let message):
                if let date = await self.hand(message, to: tunnel, inbox, on: session.eventLoop) { return date }
            }
            let rest = .seconds(1) / inbox.settings.delivery.perSecond - (ContinuousClock.now - began)
            if rest > .zero { try? await Task.sleep(for: rest) }
        }
        return nil
    }

    /// Notes what came of messages and could not be noted so far.
    ///
    /// - Returns: Whether nothing is left to note.
    private func settle(_ id: TunnelID) async -> Bool {
        while let (message, step) = self.owed[id]?.first {
            do {
                try await self.desk.store.conclude(message, of: id, with: step, now: Date())
            } catch {
                self.desk.recorder.storeFailed("\(error)")
                return false
            }
            self.owed[id]?.removeAll { $0.message == message }
            if self.owed[id]?.isEmpty == true { self.owed[id] = nil }
        }
        return true
    }

    /// Hands a message over while others are.
    private func begin(
        _ message: StoredMessage,
        to tunnel: Tunnel,
        _ inbox: TunnelInbox,
        on eventLoop: any EventLoop
    ) {
        let name = message.message.id
        self.underWay[tunnel.id, default: [:]][name] = Task {
            _ = await self.hand(message, to: tunnel, inbox, on: eventLoop)
            self.underWay[tunnel.id]?[name] = nil
            if self.underWay[tunnel.id]?.isEmpty == true { self.underWay[tunnel.id] = nil }
            self.desk.wake(tunnel.id)
        }
    }

    /// Of edges that share a store, the one with the connector hands over.
    private func session(of tunnel: Tunnel) -> TunnelSession? {
        let loop = self.group.next()
        guard self.desk.store.events == nil else { return tunnel.pickLocalSession(preferring: loop) }
        return tunnel.pickSession(preferring: loop)
    }

    /// Hands a message over.
    ///
    /// - Returns: When to try again if nobody can be reached; `nil` to go on.
    private func hand(
        _ message: StoredMessage,
        to tunnel: Tunnel,
        _ inbox: TunnelInbox,
        on eventLoop: any EventLoop
    ) async -> Date? {
        let promise = eventLoop.makePromise(of: DeliveryOutcome.self)
        let timeout = TimeAmount.seconds(Int64(inbox.settings.delivery.timeoutSeconds))
        let services = self.services
        let handover = eventLoop.submit {
            let handover = MessageHandover(message, to: tunnel, services, on: eventLoop, promise: promise)
            handover.begin(timeout: timeout)
            return NIOLoopBound(handover, eventLoop: eventLoop)
        }
        let outcome = await withTaskCancellationHandler {
            try? await promise.futureResult.get()
        } onCancel: {
            handover.whenSuccess { $0.value.abandon() }
        }
        guard let outcome else { return Date().addingTimeInterval(1) }
        self.desk.recorder.concluded(outcome)
        let now = Date()
        let step = inbox.delivery.step(
            after: outcome,
            attempts: message.message.attempts,
            now: now,
            spread: Double.random(in: -1...1)
        )
        do {
            try await self.desk.store.conclude(message.message.id, of: tunnel.id, with: step, now: now)
        } catch {
            self.desk.recorder.storeFailed("\(error)")
            self.owed[tunnel.id, default: []].append((message.message.id, step))
            return now.addingTimeInterval(1)
        }
        guard case .unreachable = outcome else {
            self.unreached[tunnel.id] = nil
            return nil
        }
        var unreached = self.unreached[tunnel.id] ?? Unreached()
        let pauses = InboxDelivery.unreachablePauses
        unreached.until = now.addingTimeInterval(pauses[min(unreached.count, pauses.count - 1)])
        unreached.count += 1
        self.unreached[tunnel.id] = unreached
        return unreached.until
    }
}
