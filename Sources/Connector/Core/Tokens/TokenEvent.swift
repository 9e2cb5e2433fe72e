// SPDX-License-Identifier: Apache-2.0

/// What becomes of the token of a tunnel that is served.
package enum TokenEvent: Equatable, Sendable {
    /// A newer one is in use.
    ///
    /// - Parameters:
    ///   - end: When it ends, in seconds since 1970, if it says so.
    ///   - problem: Why it could not be kept in its file, if so: after a new start the one before it is used.
    case renewed(end: Double?, problem: String?)
    /// It has no successor yet, and ends at that time, in seconds since 1970.
    case ending(at: Double, reason: String)
}
