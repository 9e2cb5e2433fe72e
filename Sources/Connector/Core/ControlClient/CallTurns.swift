// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Lets a few calls of the control API go out at a time, to each edge; the others wait in the order in which they came.
///
/// Each call has a connection of its own. A program with a thousand tunnels would open a thousand at once, and a few such
/// programs more than an edge takes of one address.
final class CallTurns: Sendable {
    /// How many calls there are at a time.
    static let width = 16

    private struct Line {
        var busy = 0
        var waiting: [(number: UInt64, turn: CheckedContinuation<Bool, Never>)] = []
    }

    private struct State {
        var lines: [String: Line] = [:]
        var lastNumber: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Makes a call when its turn has come.
    ///
    /// - Parameters:
    ///   - edge: The edge that it goes to.
    ///   - call: Makes it.
    /// - Throws: What the call throws, or `CancellationError` if the task is cancelled while it waits.
    func take<Answer>(at edge: String, _ call: () async throws -> Answer) async throws -> Answer {
        guard await self.waitForTurn(at: edge) else { throw CancellationError() }
        defer { self.end(at: edge) }
        return try await call()
    }

    private func waitForTurn(at edge: String) async -> Bool {
        let number = self.state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { turn in
                let isNow = self.state.withLock { state -> Bool? in
                    // Looked at under the lock, so that a cancellation is either seen here or finds who waits.
                    if Task.isCancelled { return false }
                    if state.lines[edge, default: Line()].busy < Self.width {
                        state.lines[edge, default: Line()].busy += 1
                        return true
                    }
                    state.lines[edge, default: Line()].waiting.append((number, turn))
                    return nil
                }
                if let isNow { turn.resume(returning: isNow) }
            }
        } onCancel: {
            let turn = self.state.withLock { state -> CheckedContinuation<Bool, Never>? in
                guard let index = state.lines[edge]?.waiting.firstIndex(where: { $0.number == number }) else {
                    return nil
                }
                return state.lines[edge]?.waiting.remove(at: index).turn
            }
            turn?.resume(returning: false)
        }
    }

    private func end(at edge: String) {
        let next = self.state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard var line = state.lines[edge] else { return nil }
            // Whoever waits takes the place at once, so that nobody who comes just now overtakes.
            let next = line.waiting.isEmpty ? nil : line.waiting.removeFirst().turn
            if next == nil { line.busy -= 1 }
            state.lines[edge] = line.busy == 0 ? nil : line
            return next
        }
        next?.resume(returning: true)
    }
}
