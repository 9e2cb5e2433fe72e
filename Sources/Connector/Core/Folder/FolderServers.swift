// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers

/// The folders that the tunnels of a file share: each has one server, which runs as long as the program, however often
/// the file is read again.
package final class FolderServers: Sendable {
    private struct State {
        var starting: [String: Task<FolderServer, any Error>] = [:]
        var running: [FolderServer] = []
    }

    private let state = NIOLockedValueBox(State())

    /// Shares no folder yet.
    package init() {}

    /// What a tunnel exposes that shares a folder; its server is started if it is not there.
    ///
    /// - Throws: ``CommandFailure`` if the folder can't be read, or a socket not be made.
    package func target(of path: String) async throws -> OriginTarget {
        let task = self.state.withLockedValue { state in
            if let task = state.starting[path] { return task }
            let task = Task {
                let server = try await FolderServer.start(sharing: path)
                self.state.withLockedValue { $0.running.append(server) }
                return server
            }
            state.starting[path] = task
            return task
        }
        do {
            return try await task.value.target
        } catch {
            // The next run of the tunnel tries again.
            self.state.withLockedValue { $0.starting[path] = nil }
            throw error
        }
    }

    /// Ends the servers, and removes their sockets.
    package func stop() {
        for server in self.state.withLockedValue({ $0.running }) { server.stop() }
    }
}
