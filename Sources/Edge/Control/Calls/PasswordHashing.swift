// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import NIOPosix

/// Hashes the passwords of new policies on one thread of its own, so that neither event loops nor the control plane wait.
///
/// Each owner has one password in work at a time, and owners take turns: a call with many passwords does not hold up the
/// call of somebody else with one.
actor PasswordHashing {
    /// The one of the whole program.
    static let shared = PasswordHashing()

    private let pool = NIOThreadPool(numberOfThreads: 1)
    private var isStarted = false
    /// Who waits behind the password of each owner that is in work.
    private var waiting: [String: [CheckedContinuation<Void, Never>]] = [:]

    /// Replaces passwords with their hashes.
    ///
    /// - Throws: When the program ends.
    func hashed(_ credentials: [BasicCredential], owner: String) async throws -> [BasicCredential] {
        guard credentials.contains(where: { $0.password != nil }) else { return credentials }
        if !self.isStarted {
            self.pool.start()
            self.isStarted = true
        }
        var hashed: [BasicCredential] = []
        for credential in credentials {
            await self.enter(owner)
            defer { self.leave(owner) }
            hashed.append(try await self.pool.runIfActive { PasswordHash.hashed(credential) })
        }
        return hashed
    }

    private func enter(_ owner: String) async {
        guard self.waiting[owner] != nil else {
            self.waiting[owner] = []
            return
        }
        await withCheckedContinuation { self.waiting[owner, default: []].append($0) }
    }

    private func leave(_ owner: String) {
        guard var queue = self.waiting[owner], !queue.isEmpty else {
            self.waiting[owner] = nil
            return
        }
        let next = queue.removeFirst()
        self.waiting[owner] = queue
        next.resume()
    }
}
