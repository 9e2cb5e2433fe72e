// SPDX-License-Identifier: Apache-2.0

import Logging
import ServiceLifecycle

/// Serves several tunnels at once, and starts and stops runs when the configuration changes.
///
/// A run that fails does not end the others.
package struct TunnelSet: Service {
    private enum Event: Sendable {
        case reload
        case prepared(TunnelRuns.ID, tunnelID: String)
        case active(TunnelRuns.ID)
        case ended(TunnelRuns.ID, (any Error)?)
    }

    private let server: TunnelServer
    private let initial: DesiredTunnels
    private let read: @Sendable () throws(CommandFailure) -> DesiredTunnels
    private let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation

    /// Makes the set.
    ///
    /// - Parameters:
    ///   - server: Serves each tunnel.
    ///   - initial: The tunnels to serve at first.
    ///   - read: Reads the configuration again; if it throws, everything stays as it is.
    package init(
        server: TunnelServer,
        initial: DesiredTunnels,
        read: @escaping @Sendable () throws(CommandFailure) -> DesiredTunnels
    ) {
        self.server = server
        self.initial = initial
        self.read = read
        (self.events, self.continuation) = AsyncStream.makeStream()
    }

    /// Asks to read the configuration again.
    package func reload() {
        self.continuation.yield(.reload)
    }

    /// Serves until the program is asked to stop, or until no tunnel is left.
    ///
    /// - Throws: The first failure, if no tunnel was served to the end.
    package func run() async throws {
        var desired = self.initial
        var runs = TunnelRuns()
        var lifecycles: [TunnelRuns.ID: ServiceGroup] = [:]
        var tunnelIDs: [TunnelRuns.ID: String] = [:]
        var failure: (any Error)?
        var endings = RunEndings(logger: self.server.logger)
        var hasServedToTheEnd = false
        self.server.observer.willServe(tunnelCount: desired.tunnels.count)
        await withDiscardingTaskGroup { tasks in
            var steps = runs.update(to: desired.tunnels)
            var events = self.events.makeAsyncIterator()
            while true {
                for step in steps {
                    switch step {
                    case .keep:
                        break
                    case .stop(let id):
                        await lifecycles[id]?.triggerGracefulShutdown()
                    case .start(let id, let tunnel):
                        let lifecycle = self.lifecycle(of: id, desired.prepare(tunnel, nil))
                        lifecycles[id] = lifecycle
                        tasks.addTask { await self.run(id, lifecycle) }
                    case .replace(let old, let id, let tunnel):
                        let lifecycle = self.lifecycle(of: id, desired.prepare(tunnel, tunnelIDs[old]))
                        lifecycles[id] = lifecycle
                        tunnelIDs[id] = tunnelIDs[old]
                        tasks.addTask { await self.run(id, lifecycle) }
                    }
                }
                guard !runs.isEmpty, let event = await events.next() else { break }
                steps = []
                switch event {
                case .reload:
                    guard !Task.isShuttingDownGracefully, let new = self.readAgain() else { continue }
                    endings.tell()
                    desired = new
                    self.server.observer.willServe(tunnelCount: desired.tunnels.count)
                    self.server.observer.configurationWasRead()
                    steps = runs.update(to: desired.tunnels)
                    self.logReload(steps)
                case .prepared(let id, let tunnelID):
                    tunnelIDs[id] = tunnelID
                    endings.tell()
                case .active(let id):
                    steps = runs.becameActive(id)
                case .ended(let id, let error):
                    lifecycles[id] = nil
                    let tunnelID = tunnelIDs.removeValue(forKey: id)
                    let wasAlone = desired.tunnels.count == 1
                    guard runs.ended(id) else { continue }
                    if let error {
                        failure = failure ?? error
                        if !wasAlone || !runs.isEmpty {
                            endings.add(error, of: tunnelID)
                            if !RunEndings.isOfKey(error) || !tunnelIDs.isEmpty { endings.tell() }
                        }
                    } else {
                        hasServedToTheEnd = true
                    }
                }
            }
        }
        if hasServedToTheEnd || !RunEndings.isOfKey(failure) { endings.tell() }
        if let failure, !hasServedToTheEnd { throw failure }
    }

    private func lifecycle(
        of id: TunnelRuns.ID,
        _ prepare: @escaping TunnelServer.Preparation
    ) -> ServiceGroup {
        let continuation = self.continuation
        return ServiceGroup(
            running: TunnelRun(server: self.server) { server in
                let tunnel = try await prepare(server)
                continuation.yield(.prepared(id, tunnelID: tunnel.token.tunnelID))
                return tunnel
            } onActive: {
                continuation.yield(.active(id))
            }
        )
    }

    private func run(_ id: TunnelRuns.ID, _ lifecycle: ServiceGroup) async {
        do {
            try await lifecycle.run()
            self.continuation.yield(.ended(id, nil))
        } catch {
            self.continuation.yield(.ended(id, error))
        }
    }

    private func readAgain() -> DesiredTunnels? {
        do {
            return try self.read()
        } catch {
            for line in error.message.split(separator: "\n") { self.server.logger.error("\(line)") }
            self.server.logger.error("Nothing was changed: correct the file and send SIGHUP again.")
            return nil
        }
    }

    private func logReload(_ steps: [TunnelRuns.Step]) {
        var counts = (kept: 0, started: 0, replaced: 0, stopped: 0)
        for step in steps {
            switch step {
            case .keep: counts.kept += 1
            case .start: counts.started += 1
            case .replace: counts.replaced += 1
            case .stop: counts.stopped += 1
            }
        }
        self.server.logger.info(
            "read the tunnels again",
            metadata: [
                "kept": "\(counts.kept)", "started": "\(counts.started)", "replaced": "\(counts.replaced)",
                "stopped": "\(counts.stopped)",
            ]
        )
    }
}

/// Why runs have ended, to be logged.
///
/// What the key lacks it lacks for all tunnels: it is told once, and where none is served by whoever ends the program.
private struct RunEndings {
    let logger: Logger
    private var untold: [(message: String, metadata: Logger.Metadata?)] = []
    private var toldOfKey: Set<String> = []

    init(logger: Logger) {
        self.logger = logger
    }

    static func isOfKey(_ error: (any Error)?) -> Bool {
        (error as? CommandFailure)?.wantsOneTimeCode == true
    }

    mutating func add(_ error: any Error, of tunnelID: String?) {
        if Self.isOfKey(error), !self.toldOfKey.insert("\(error)").inserted { return }
        self.untold.append(("\(error)", tunnelID.map { ["tunnel": "\($0)"] }))
    }

    mutating func tell() {
        for (message, metadata) in self.untold { self.logger.error("\(message)", metadata: metadata) }
        self.untold = []
    }
}
