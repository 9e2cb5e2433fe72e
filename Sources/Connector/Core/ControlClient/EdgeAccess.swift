// SPDX-License-Identifier: Apache-2.0

/// Which edge to talk to and with what key, for calls of the control API.
package struct EdgeAccess: Sendable {
    /// The edge.
    package var edge: EdgeAddress
    /// The key.
    package var credentials: Credentials

    /// - Parameters:
    ///   - edge: The edge.
    ///   - credentials: The key.
    package init(edge: EdgeAddress, credentials: Credentials) {
        self.edge = edge
        self.credentials = credentials
    }

    /// The same access for a later call: a one-time code is valid for one call.
    package func withoutOneTimeCode() throws(CommandFailure) -> EdgeAccess {
        EdgeAccess(edge: self.edge, credentials: try Credentials(apiKey: self.credentials.apiKey))
    }
}
