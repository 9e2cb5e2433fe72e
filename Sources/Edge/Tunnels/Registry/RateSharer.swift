// SPDX-License-Identifier: Apache-2.0

/// Has the edges keep a tunnel's limits together.
package protocol RateSharer: Sendable {
    /// Begins to tell what visitors of a tunnel take of its limit, until they take nothing more; from any thread.
    func share(_ tunnel: Tunnel)

    /// Tells that somebody has shown a tunnel a wrong password; from any thread.
    func tellFailure(of tunnel: Tunnel, by caller: CallerAddress)
}
