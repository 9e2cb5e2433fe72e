// SPDX-License-Identifier: Apache-2.0

/// Why a proxy did not open a connection to the edge.
package enum ProxyFailure: Error, Equatable {
    /// The proxy's host name does not resolve.
    case unresolved
    /// The proxy's address refuses connections, or does not answer.
    case unreachable(String)
    /// The proxy took too long.
    case timedOut
    /// It requires credentials (HTTP 407); `wasShown` says whether it refused the ones that we have.
    case authentication(wasShown: Bool)
    /// It answered with another status; `nil` if the status is not known.
    case refused(status: Int?)
    /// What answers is not an HTTP proxy.
    case notAProxy(String)
}
