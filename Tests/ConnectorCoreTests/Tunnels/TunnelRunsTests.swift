// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConnectorCore

@Suite("What an edited file means for the tunnels that run")
struct TunnelRunsTests {
    private let edge: EdgeAddress
    private let otherEdge: EdgeAddress

    init() throws {
        self.edge = try EdgeAddress(parsing: "edge.example.com")
        self.otherEdge = try EdgeAddress(parsing: "other.example.com")
    }

    /// A tunnel by name and target.
    private func tunnel(_ name: String, _ port: Int = 1, connections: Int = 2) -> DesiredTunnel {
        DesiredTunnel(
            identity: .name(name),
            target: OriginTarget(endpoint: .tcp(host: "h", port: port), usesTLS: false),
            name: name,
            edge: self.edge,
            connections: connections
        )
    }

    private func id(_ number: Int) -> TunnelRuns.ID { TunnelRuns.ID(number: number) }

    /// Runs for some tunnels, all of which have a connection.
    private func serving(_ tunnels: DesiredTunnel...) -> TunnelRuns {
        var runs = TunnelRuns()
        for step in runs.update(to: tunnels) {
            guard case .start(let id, _) = step else { continue }
            #expect(runs.becameActive(id) == [])
        }
        return runs
    }

    @Test("At first everything is started, in the order of the file")
    func first() {
        var runs = TunnelRuns()
        #expect(runs.isEmpty)
        #expect(
            runs.update(to: [self.tunnel("b"), self.tunnel("a")]) == [
                .start(self.id(0), self.tunnel("b")), .start(self.id(1), self.tunnel("a")),
            ]
        )
        #expect(!runs.isEmpty)
    }

    @Test("What did not change is kept, wherever it stands")
    func kept() {
        var runs = self.serving(self.tunnel("a"), self.tunnel("b"))
        #expect(runs.update(to: [self.tunnel("b"), self.tunnel("a")]) == [.keep(self.id(1)), .keep(self.id(0))])
    }

    @Test("What was added is started, what was removed is stopped, and the rest is kept")
    func addedAndRemoved() {
        var runs = self.serving(self.tunnel("a"), self.tunnel("b"), self.tunnel("c"))
        #expect(
            runs.update(to: [self.tunnel("b"), self.tunnel("d")]) == [
                .stop(self.id(0)), .stop(self.id(2)), .keep(self.id(1)), .start(self.id(3), self.tunnel("d")),
            ]
        )
        #expect(runs.update(to: [self.tunnel("b")]) == [.stop(self.id(3)), .keep(self.id(1))])
    }

    @Test("What changed is replaced: the old run goes when the new one has a connection, and not before")
    func replaced() {
        var runs = self.serving(self.tunnel("a"))
        #expect(runs.update(to: [self.tunnel("a", 2)]) == [.replace(self.id(0), with: self.id(1), self.tunnel("a", 2))])
        #expect(runs.becameActive(self.id(0)) == [])
        #expect(runs.becameActive(self.id(1)) == [.stop(self.id(0))])
        #expect(runs.becameActive(self.id(1)) == [])
        #expect(runs.update(to: [self.tunnel("a", 2)]) == [.keep(self.id(1))])
    }

    @Test("Another edge or another number of connections is a change, too")
    func otherSettings() {
        var runs = self.serving(self.tunnel("a"))
        let more = self.tunnel("a", connections: 3)
        #expect(runs.update(to: [more]) == [.replace(self.id(0), with: self.id(1), more)])
        var elsewhere = self.tunnel("a")
        elsewhere.edge = self.otherEdge
        #expect(runs.update(to: [elsewhere]) == [.stop(self.id(1)), .replace(self.id(0), with: self.id(2), elsewhere)])
    }

    @Test("A run that never served anybody is not waited for when its settings change")
    func neverServed() {
        var runs = TunnelRuns()
        _ = runs.update(to: [self.tunnel("a")])
        #expect(runs.update(to: [self.tunnel("a", 2)]) == [.stop(self.id(0)), .start(self.id(1), self.tunnel("a", 2))])
    }

    @Test("A change that is taken back before it took effect leaves the old run as it was")
    func takenBack() {
        var runs = self.serving(self.tunnel("a"))
        _ = runs.update(to: [self.tunnel("a", 2)])
        #expect(runs.update(to: [self.tunnel("a")]) == [.stop(self.id(1)), .keep(self.id(0))])
        // Too late: the run that was told to stop had just got through.
        #expect(runs.becameActive(self.id(1)) == [])
    }

    @Test("A change upon a change that did not take effect yet replaces the run that serves")
    func changedTwice() {
        var runs = self.serving(self.tunnel("a"))
        _ = runs.update(to: [self.tunnel("a", 2)])
        #expect(
            runs.update(to: [self.tunnel("a", 3)]) == [
                .stop(self.id(1)), .replace(self.id(0), with: self.id(2), self.tunnel("a", 3)),
            ]
        )
        #expect(runs.becameActive(self.id(2)) == [.stop(self.id(0))])
    }

    @Test("Removing a tunnel stops the run that serves and the one that was to replace it")
    func removedWhileReplaced() {
        var runs = self.serving(self.tunnel("a"), self.tunnel("b"))
        _ = runs.update(to: [self.tunnel("a", 2), self.tunnel("b")])
        #expect(runs.update(to: [self.tunnel("b")]) == [.stop(self.id(0)), .stop(self.id(2)), .keep(self.id(1))])
    }

    @Test("A replacement that fails leaves the old run, and the same file tries again")
    func failedReplacement() {
        var runs = self.serving(self.tunnel("a"))
        _ = runs.update(to: [self.tunnel("a", 2)])
        #expect(runs.ended(self.id(1)) == true)
        #expect(!runs.isEmpty)
        #expect(runs.update(to: [self.tunnel("a", 2)]) == [.replace(self.id(0), with: self.id(2), self.tunnel("a", 2))])
    }

    @Test("An old run that fails leaves its replacement, after which no run has to be stopped")
    func failedOld() {
        var runs = self.serving(self.tunnel("a"))
        _ = runs.update(to: [self.tunnel("a", 2)])
        #expect(runs.ended(self.id(0)) == true)
        #expect(runs.becameActive(self.id(1)) == [])
        #expect(runs.update(to: [self.tunnel("a", 2)]) == [.keep(self.id(1))])
    }

    @Test("A tunnel that has failed is started anew by the next reading of the file")
    func failedTunnel() {
        var runs = self.serving(self.tunnel("a"), self.tunnel("b"))
        #expect(runs.ended(self.id(0)) == true)
        #expect(
            runs.update(to: [self.tunnel("a"), self.tunnel("b")]) == [
                .start(self.id(2), self.tunnel("a")), .keep(self.id(1)),
            ]
        )
    }

    @Test("The end of a run that was told to stop is no news; with the last run nothing is left")
    func ends() {
        var runs = self.serving(self.tunnel("a"), self.tunnel("b"))
        _ = runs.update(to: [self.tunnel("b")])
        #expect(runs.ended(self.id(0)) == false)
        #expect(runs.ended(self.id(1)) == true)
        #expect(runs.ended(self.id(1)) == false)
        #expect(runs.isEmpty)
    }

    @Test(
        "Whatever happens in whatever order, each tunnel has at most one run that waits, and every run is stopped once"
    )
    func anyOrder() {
        var generator = SplitMix(state: 0x5EED)
        for _ in 0..<300 {
            var runs = TunnelRuns()
            var alive: Set<TunnelRuns.ID> = []
            var stopped: Set<TunnelRuns.ID> = []
            func carryOut(_ steps: [TunnelRuns.Step]) {
                for step in steps {
                    switch step {
                    case .keep(let id):
                        #expect(alive.contains(id) && !stopped.contains(id))
                    case .start(let id, _), .replace(_, let id, _):
                        #expect(alive.insert(id).inserted == true)
                    case .stop(let id):
                        #expect(alive.contains(id))
                        #expect(stopped.insert(id).inserted == true)
                    }
                }
            }
            var last: [DesiredTunnel] = []
            for _ in 0..<40 {
                switch Int.random(in: 0..<4, using: &generator) {
                case 0, 1:
                    last = ["a", "b", "c"].filter { _ in Bool.random(using: &generator) }
                        .map { self.tunnel($0, Int.random(in: 1...2, using: &generator)) }
                    carryOut(runs.update(to: last))
                case 2:
                    guard let id = alive.sorted(by: { $0.number < $1.number }).randomElement(using: &generator)
                    else { continue }
                    carryOut(runs.becameActive(id))
                default:
                    guard let id = alive.sorted(by: { $0.number < $1.number }).randomElement(using: &generator)
                    else { continue }
                    alive.remove(id)
                    #expect(runs.ended(id) == !stopped.contains(id))
                }
                // Each tunnel has the run that serves and at most one that is to replace it.
                #expect(alive.subtracting(stopped).count <= 2 * max(last.count, 3))
            }
            // Once what is wanted runs and serves, nothing else does.
            last = [self.tunnel("a", 9)]
            carryOut(runs.update(to: last))
            for id in alive.subtracting(stopped) { carryOut(runs.becameActive(id)) }
            #expect(alive.subtracting(stopped).count == 1)
        }
    }
}

/// A generator whose numbers are the same on every run.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
