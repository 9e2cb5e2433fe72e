// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Synchronization

@testable import EdgeTunnels

/// A directory whose answers wait while a test says so: those to arrivals, or those to lookups.
final class SlowDirectory: TunnelDirectory {
    private struct State {
        var held: Question?
        /// What is counted.
        var kind = Question.join
        var waiters: [CheckedContinuation<Void, Never>] = []
        var mostWaiting = 0
        var asked = 0
    }

    /// What is asked.
    enum Question {
        case join
        case find
    }

    private let directory: InMemoryTunnelDirectory
    private let state = Mutex(State())

    init(_ directory: InMemoryTunnelDirectory) {
        self.directory = directory
    }

    var waiting: Int { self.state.withLock { $0.waiters.count } }
    var mostWaiting: Int { self.state.withLock { $0.mostWaiting } }
    /// How often that was asked since the first that waited.
    var asked: Int { self.state.withLock { $0.asked } }

    func hold(_ question: Question = .join) {
        self.state.withLock { ($0.held, $0.kind, $0.asked) = (question, question, 0) }
    }

    func letGo() {
        let waiters = self.state.withLock { state in
            defer { (state.held, state.waiters) = (nil, []) }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func join(_ arrival: DirectoryArrival) async throws -> DirectoryAdmission {
        await self.wait(.join)
        return try await self.directory.join(arrival)
    }

    private func wait(_ question: Question) async {
        await withCheckedContinuation { continuation in
            let waits = self.state.withLock { state in
                guard state.kind == question else { return false }
                state.asked += 1
                guard state.held == question else { return false }
                state.waiters.append(continuation)
                state.mostWaiting = max(state.mostWaiting, state.waiters.count)
                return true
            }
            if !waits { continuation.resume() }
        }
    }

    var isUp: Bool { self.directory.isUp }

    func create(_ specification: TunnelSpecification, limit: Int) async throws -> DirectoryCreation {
        try await self.directory.create(specification, limit: limit)
    }

    func leave(_ place: DirectoryPlace, of id: TunnelID, isLast: Bool) async throws {
        try await self.directory.leave(place, of: id, isLast: isLast)
    }

    func change(_ specification: TunnelSpecification) async throws -> Double? {
        try await self.directory.change(specification)
    }

    func find(_ id: TunnelID) async throws -> DirectoryEntry? {
        await self.wait(.find)
        return try await self.directory.find(id)
    }

    func list(owner: String?, after cursor: TunnelID?, limit: Int) async throws -> [DirectoryEntry] {
        try await self.directory.list(owner: owner, after: cursor, limit: limit)
    }

    func end(_ cutoff: TokenCutoffs.Cutoff, of id: TunnelID) async throws {
        try await self.directory.end(cutoff, of: id)
    }

    func endAccess(issuedUntil: Double, of id: TunnelID) async throws {
        try await self.directory.endAccess(issuedUntil: issuedUntil, of: id)
    }

    func remove(_ id: TunnelID, of owner: String, ending cutoff: TokenCutoffs.Cutoff) async throws -> Bool {
        try await self.directory.remove(id, of: owner, ending: cutoff)
    }

    func removeIdle(limit: Int) async throws -> [TunnelID] { try await self.directory.removeIdle(limit: limit) }

    func port(of specification: TunnelSpecification) async throws -> UInt16? {
        try await self.directory.port(of: specification)
    }

    func claim(_ port: UInt16, for specification: TunnelSpecification, isReturning: Bool) async throws -> Bool {
        try await self.directory.claim(port, for: specification, isReturning: isReturning)
    }

    func onlinePorts() async throws -> [UInt16: TunnelID] { try await self.directory.onlinePorts() }

    func beat(_ pod: PodID, info: String) async throws -> DirectoryBeat {
        try await self.directory.beat(pod, info: info)
    }

    func reap(_ pod: PodID, isLeaving: Bool, limit: Int) async throws -> Int? {
        try await self.directory.reap(pod, isLeaving: isLeaving, limit: limit)
    }

    func useCode(step: UInt64, ofKey name: String) async throws -> Bool {
        try await self.directory.useCode(step: step, ofKey: name)
    }

    func take(_ wanted: Int, from bucket: String, limit: RateLimit) async throws -> DirectoryGrant {
        try await self.directory.take(wanted, from: bucket, limit: limit)
    }

    func spend(_ count: Int, from bucket: String, limit: RateLimit) async throws -> Double {
        try await self.directory.spend(count, from: bucket, limit: limit)
    }
}
