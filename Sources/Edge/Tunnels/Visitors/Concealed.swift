// SPDX-License-Identifier: Apache-2.0

/// A value that holds a secret, and so says nothing of itself: whoever prints it, or something that has it inside, as
/// libraries do in their own log lines, prints nothing that opens anything.
package protocol Concealed: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {}

extension Concealed {
    package var description: String { "(secret)" }
    package var debugDescription: String { "(secret)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension PasswordAttempt: Concealed {}
