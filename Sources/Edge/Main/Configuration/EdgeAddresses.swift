// SPDX-License-Identifier: Apache-2.0

/// Where the edge can be reached, once it listens.
struct EdgeAddresses: Equatable, Sendable {
    /// The public listener.
    var listen: ListenAddress
    /// The admin listener.
    var admin: ListenAddress
    /// The public URL, without a trailing slash.
    var publicURL: String
    /// The URL under which this machine reaches the public listener, without a trailing slash.
    var localURL: String
}
