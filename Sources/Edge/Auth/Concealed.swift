// SPDX-License-Identifier: Apache-2.0

/// A value that holds a secret, and so says nothing of itself: whoever prints it, or something that has it inside, as
/// libraries do in their own log lines, prints nothing that opens anything.
protocol Concealed: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {}

extension Concealed {
    var description: String { "(secret)" }
    var debugDescription: String { "(secret)" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension SigningKey: Concealed {}
extension APIKeyRecord: Concealed {}
extension OneTimePassword: Concealed {}
extension PasswordAttempt: Concealed {}
extension CredentialSet: Concealed {}
extension NewCredentials: Concealed {}
extension DevelopmentCredentials: Concealed {}
extension EdgeConfiguration.Credentials: Concealed {}
