// SPDX-License-Identifier: Apache-2.0
#if Redis

import ControlAPI
import EdgeTunnels
import Logging
import RESP
import Redis

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A directory in Redis.
///
/// Each step is one script on one primary. An answer that was lost may have been done: every step but
/// ``take(_:from:limit:)`` may be sent again.
package final class RedisTunnelDirectory: TunnelDirectory {
    private let client: RedisClient
    private let scripts: DirectoryScripts
    let portScripts: PortScripts
    private let prefix: String
    private let times: DirectoryTimes
    private let recorder: any DirectoryRecorder
    private let logger: Logger
    private let now: @Sendable () -> Double

    /// Makes a directory on a client that somebody else starts and closes.
    ///
    /// - Parameters:
    ///   - client: The connection.
    ///   - prefix: What every key begins with: letters, digits and `:_.-`.
    ///   - times: For how long what is remembered.
    ///   - recorder: Counts.
    ///   - logger: Where it is said that a replica did not follow.
    ///   - now: The time in seconds since 1970.
    package init(
        _ client: RedisClient,
        prefix: String = "cv:",
        times: DirectoryTimes = DirectoryTimes(),
        recorder: any DirectoryRecorder,
        logger: Logger,
        now: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 }
    ) {
        self.client = client
        self.prefix = prefix
        self.scripts = DirectoryScripts(prefix: prefix)
        self.portScripts = PortScripts(prefix: prefix)
        self.times = times
        self.recorder = recorder
        self.logger = logger
        self.now = now
    }

    package var isUp: Bool { self.client.status == .up }

    private func key(_ name: String) -> String { self.prefix + name }

    func ask(
        _ operation: DirectoryOperation,
        _ script: RedisScript,
        _ keys: [String],
        _ arguments: [String]
    ) async throws -> RESPValue {
        try await self.measure(operation) {
            try await self.client.run(script, keys: keys.map(self.key), arguments: arguments)
        }
    }

    private func measure(
        _ operation: DirectoryOperation,
        _ body: () async throws -> RESPValue
    ) async throws -> RESPValue {
        let clock = ContinuousClock()
        let start = clock.now
        do {
            let value = try await body()
            let (seconds, attoseconds) = start.duration(to: clock.now).components
            self.recorder.directoryAnswered(operation, seconds: Double(seconds) + Double(attoseconds) / 1e18)
            return value
        } catch {
            self.recorder.directoryFailed(operation)
            throw TunnelDirectoryError.unavailable("\(error)")
        }
    }

    func misunderstood(_ value: RESPValue) -> TunnelDirectoryError {
        .unavailable("an answer that was not expected: \(value)")
    }

    /// Waits until what was written survives the primary, where there are replicas.
    func settle() async {
        guard self.client.hasReplicas else { return }
        let answer = try? await self.client.command(["WAIT", "1", "100"])
        if answer?.number ?? 0 < 1 {
            self.logger.warning("no replica of the registry has followed a change within 100 ms")
        }
    }

    // MARK: Tunnels

    package func create(_ specification: TunnelSpecification, limit: Int) async throws -> DirectoryCreation {
        let (id, owner) = (specification.id.description, specification.owner)
        let answer = try await self.ask(
            .create,
            self.scripts.create,
            ["t:\(id)", "n:\(id)", "o:\(owner)", "ids", "idle", "cut:\(id)", "acut:\(id)"],
            [
                id, owner, "\(specification.createdAt.timeIntervalSince1970)",
                try DirectoryRecord.text(of: specification), "\(specification.version)", "\(limit)",
                "\(self.times.idleExpiry)",
            ]
        )
        switch answer.text ?? answer.elements?.first?.text {
        case "created":
            await self.settle()
            return .created
        case "own": return .own
        case "taken": return .taken
        case "limit": return .limit
        case "ended" where answer.elements?.count == 3:
            return .ended(DirectoryRecord.ends(answer.elements?[1], access: answer.elements?[2]))
        default: throw self.misunderstood(answer)
        }
    }

    package func join(_ arrival: DirectoryArrival) async throws -> DirectoryAdmission {
        let specification = arrival.specification
        let (id, owner) = (specification.id.description, specification.owner)
        let pod = arrival.place?.pod.description ?? ""
        let answer = try await self.ask(
            .join,
            self.scripts.join,
            ["t:\(id)", "n:\(id)", "cut:\(id)", "o:\(owner)", "ids", "idle", "p:\(pod):t", "acut:\(id)"],
            [
                id, owner, "\(specification.createdAt.timeIntervalSince1970)",
                try DirectoryRecord.text(of: specification), "\(specification.version)", "\(arrival.issuedAt)",
                "\(self.now())", "\(self.times.idleExpiry)", pod, arrival.place?.slot ?? "", "\(arrival.limit)",
            ]
        )
        guard let words = answer.elements, let first = words.first?.text else { throw self.misunderstood(answer) }
        switch first {
        case "ended" where words.count == 3: return .ended(DirectoryRecord.ends(words[1], access: words[2]))
        case "taken": return .taken
        case "full": return .full
        case "joined" where words.count == 4:
            let ends = DirectoryRecord.ends(words[2], access: words[3])
            guard let entry = DirectoryRecord.entry(specification.id, fields: words[1], ends: ends) else {
                throw self.misunderstood(answer)
            }
            return .joined(entry)
        default: throw self.misunderstood(answer)
        }
    }

    package func leave(_ place: DirectoryPlace, of id: TunnelID, isLast: Bool) async throws {
        _ = try await self.ask(
            .leave,
            self.scripts.leave,
            ["t:\(id)", "idle", "p:\(place.pod):t"],
            [id.description, place.pod.description, place.slot, isLast ? "1" : "0", "\(self.times.idleExpiry)"]
        )
    }

    package func change(_ specification: TunnelSpecification) async throws -> Double? {
        let answer = try await self.ask(
            .change,
            self.scripts.change,
            ["t:\(specification.id)"],
            [
                specification.id.description, specification.owner, try DirectoryRecord.text(of: specification),
                "\(specification.version)",
            ]
        )
        if answer == .null { return nil }
        guard let version = answer.text.flatMap({ Double($0) }) else { throw self.misunderstood(answer) }
        await self.settle()
        return version
    }

    package func find(_ id: TunnelID) async throws -> DirectoryEntry? {
        let fields = try await self.measure(.find) { try await self.client.command(["HGETALL", self.key("t:\(id)")]) }
        guard fields.elements?.isEmpty == false else { return nil }
        async let cutoffs = self.measure(.find) { try await self.client.command(["HGETALL", self.key("cut:\(id)")]) }
        async let access = self.measure(.find) { try await self.client.command(["GET", self.key("acut:\(id)")]) }
        return DirectoryRecord.entry(
            id,
            fields: fields,
            ends: DirectoryRecord.ends(try await cutoffs, access: try await access)
        )
    }

    package func list(owner: String?, after cursor: TunnelID?, limit: Int) async throws -> [DirectoryEntry] {
        let answer = try await self.ask(
            .list,
            self.scripts.list,
            [owner.map { "o:\($0)" } ?? "ids"],
            [cursor.map { "(\($0)" } ?? "-", "\(limit)"]
        )
        guard let found = answer.elements else { throw self.misunderstood(answer) }
        return found.compactMap { row in
            guard let parts = row.elements, parts.count == 2, let id = parts[0].text.flatMap({ TunnelID($0) }) else {
                return nil
            }
            return DirectoryRecord.entry(id, fields: parts[1])
        }
    }

    package func end(_ cutoff: TokenCutoffs.Cutoff, of id: TunnelID) async throws {
        _ = try await self.ask(
            .cut,
            self.scripts.cut,
            ["cut:\(id)"],
            [
                id.description, "\(cutoff.issuedUntil)", "\(cutoff.endAt)", "\(self.now())",
                "\(self.times.tokenLife)",
            ]
        )
        await self.settle()
    }

    package func endAccess(issuedUntil: Double, of id: TunnelID) async throws {
        _ = try await self.ask(
            .cut,
            self.scripts.access,
            ["acut:\(id)"],
            [id.description, "\(issuedUntil)", "\(self.times.tokenLife)"]
        )
        await self.settle()
    }

    package func remove(
        _ id: TunnelID,
        of owner: String,
        ending cutoff: TokenCutoffs.Cutoff
    ) async throws -> Bool {
        let answer = try await self.ask(
            .remove,
            self.scripts.remove,
            ["t:\(id)", "n:\(id)", "cut:\(id)", "ids", "idle", "acut:\(id)"],
            [
                id.description, owner, "\(cutoff.issuedUntil)", "\(cutoff.endAt)", "\(self.now())",
                "\(self.times.tokenLife)",
            ]
        )
        await self.settle()
        return answer.number == 1
    }

    package func removeIdle(limit: Int) async throws -> [TunnelID] {
        let answer = try await self.ask(
            .forget,
            self.scripts.forget,
            ["idle", "ids"],
            ["\(limit)", "\(self.times.nameLease)", "\(self.times.idleExpiry)"]
        )
        return answer.elements?.compactMap { $0.text.flatMap { TunnelID($0) } } ?? []
    }

    // MARK: Pods

    package func beat(_ pod: PodID, info: String) async throws -> DirectoryBeat {
        let answer = try await self.ask(
            .beat,
            self.scripts.beat,
            ["pods", "podinfo"],
            [pod.description, info, "\(self.times.lease)"]
        )
        guard let parts = answer.elements, parts.count == 4, let hadLease = parts[0].number,
            let live = parts[1].elements, let infos = parts[2].elements, let dead = parts[3].elements
        else { throw self.misunderstood(answer) }
        return DirectoryBeat(
            hadLease: hadLease == 1,
            live: Dictionary(zip(live, infos).map { (PodID($0.text ?? ""), $1.text ?? "") }) { first, _ in first },
            dead: Set(dead.map { PodID($0.text ?? "") })
        )
    }

    package func reap(_ pod: PodID, isLeaving: Bool, limit: Int) async throws -> Int? {
        let answer = try await self.ask(
            .reap,
            self.scripts.reap,
            ["p:\(pod):t", "idle", "pods", "podinfo"],
            [
                pod.description, "\(limit)", "\(self.times.idleExpiry)", "\(self.times.lease)",
                isLeaving ? "1" : "0",
            ]
        )
        guard let count = answer.number else { throw self.misunderstood(answer) }
        return count < 0 ? nil : count
    }

    // MARK: What is used up

    package func useCode(step: UInt64, ofKey name: String) async throws -> Bool {
        try await self.ask(.code, self.scripts.code, ["otp:\(name)"], ["\(step)"]).number == 1
    }

    package func take(_ wanted: Int, from bucket: String, limit: RateLimit) async throws -> DirectoryGrant {
        let answer = try await self.ask(self.scripts.take, wanted, of: bucket, limit)
        guard let parts = answer.elements, parts.count == 2, let granted = parts[0].number,
            let left = parts[1].text.flatMap({ Double($0) })
        else { throw self.misunderstood(answer) }
        return DirectoryGrant(granted: granted, left: left)
    }

    package func spend(_ count: Int, from bucket: String, limit: RateLimit) async throws -> Double {
        let answer = try await self.ask(self.scripts.spend, count, of: bucket, limit)
        guard let left = answer.text.flatMap({ Double($0) }) else { throw self.misunderstood(answer) }
        return left
    }

    /// Runs a script of buckets.
    private func ask(
        _ script: RedisScript,
        _ count: Int,
        of bucket: String,
        _ limit: RateLimit
    ) async throws -> RESPValue {
        try await self.ask(.take, script, ["rl:\(bucket)"], ["\(limit.burst)", "\(limit.perSecond)", "\(count)"])
    }
}

#endif
