// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import ConnectorCore

@Suite("Turns of calls")
struct CallTurnsTests {
    /// Counts who is at work, and holds them until they may go on.
    private final class Work: Sendable {
        private let state = Mutex((now: 0, most: 0, done: [Int]()))
        private let gate: AsyncStream<Void>
        let open: AsyncStream<Void>.Continuation

        init() { (self.gate, self.open) = AsyncStream.makeStream() }

        var now: Int { self.state.withLock { $0.now } }
        var most: Int { self.state.withLock { $0.most } }
        var done: [Int] { self.state.withLock { $0.done } }

        func run(_ number: Int) async {
            self.state.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            for await _ in self.gate { break }
            self.state.withLock {
                $0.now -= 1
                $0.done.append(number)
            }
        }
    }

    private func until(_ isTrue: () -> Bool) async throws {
        while !isTrue() { try await Task.sleep(for: .milliseconds(1)) }
    }

    @Test("A thousand calls are made, sixteen at a time to each edge", .timeLimit(.minutes(1)))
    func width() async throws {
        let (turns, work, other) = (CallTurns(), Work(), Work())
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for number in 0..<1_000 {
                tasks.addTask { try await turns.take(at: "one") { await work.run(number) } }
            }
            try await self.until { work.now == CallTurns.width }
            // An edge that does not answer holds up no calls to another one.
            tasks.addTask { try await turns.take(at: "other") { await other.run(0) } }
            try await self.until { other.now == 1 }
            other.open.finish()
            work.open.finish()
            try await tasks.waitForAll()
        }
        #expect(work.done.count == 1_000 && work.most == CallTurns.width && other.done == [0])
    }

    @Test("A call that is cancelled while it waits is not made, and takes nobody's turn", .timeLimit(.minutes(1)))
    func cancelled() async throws {
        let (turns, work) = (CallTurns(), Work())
        let busy = (0..<CallTurns.width).map { number in
            Task { try await turns.take(at: "one") { await work.run(number) } }
        }
        try await self.until { work.now == CallTurns.width }
        let waiting = Task { try await turns.take(at: "one") { await work.run(100) } }
        let behind = Task { try await turns.take(at: "one") { await work.run(200) } }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        work.open.finish()
        for task in busy { try await task.value }
        try await behind.value
        #expect(work.done.count == CallTurns.width + 1 && work.done.contains(200) && !work.done.contains(100))
        // A failure gives its turn back, too.
        for _ in 0..<(2 * CallTurns.width) {
            await #expect(throws: CancellationError.self) {
                try await turns.take(at: "one") { throw CancellationError() }
            }
        }
        try await turns.take(at: "one") {}
    }
}
