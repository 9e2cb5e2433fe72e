// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The variables that a program was started with.
package enum ProgramEnvironment {
    /// The variables that say something: `NAME=` in a shell, a unit or a compose file means that there is none.
    package static var variables: [String: String] { self.withoutEmpty(ProcessInfo.processInfo.environment) }

    /// Variables without those that are empty.
    package static func withoutEmpty(_ variables: [String: String]) -> [String: String] {
        variables.filter { !$0.value.isEmpty }
    }
}
