// SPDX-License-Identifier: Apache-2.0

/// Why a proxy opened no connection to the edge.
package enum ProxyFailure: Error, Equatable {
    /// The proxy's name does not resolve.
    case unresolved
    /// Nobody answers at the proxy's address.
    case unreachable(String)
    /// The proxy took too long.
    case timedOut
    /// It wants a user name and password, or others than it was shown.
    case authentication(wasShown: Bool)
    /// It answered with another status; nothing if that is not known.
    case refused(status: Int?)
    /// What answers is not an HTTP proxy.
    case notAProxy(String)
}
