// SPDX-License-Identifier: Apache-2.0

/// The names that OPEN's TARGET carries.
///
/// A tunnel has one target today, and its name is a constant: which address it stands for is for the connector's own
/// command line to say, never for the wire.
package enum TargetName {
    /// The target of a tunnel that has only one.
    package static let primary = "default"
}
